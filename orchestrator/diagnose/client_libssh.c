/* A session of this program's own: nothing of OpenSSH's client, no keepalives, true silence. */
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "diagnose/client.h"
#include "transport/session_way.h"

#include <string.h>

#define LOGIN_BOUND (20 * NS_PER_S)

enum { KEPT = 600 };

/* How a login ended. A proxy's own words say more than that its stream came to an end. */
static const char *login_end(const struct ssh_session_login *login, const char *words, bool proxied)
{
    switch (login->end) {
    case SSH_END_AUTH:
        return "auth";
    case SSH_END_HOST_KEY:
        return "host-key";
    case SSH_END_SILENT:
        return login->rung == SSH_RUNG_BANNER ? "timeout" : "stalled";
    case SSH_END_RESET:
    case SSH_END_CLOSED: {
        const char *told = trial_words_end(words);
        bool says_nothing = text_is(told, "closed") || text_is(told, "reset");
        return !says_nothing                 ? told
               : proxied                     ? "proxy-exit"
               : login->end == SSH_END_RESET ? "reset"
                                             : "closed";
    }
    default:
        return "closed";
    }
}

static const char *run_end(const struct ssh_session *session, const struct session_line *line)
{
    AUTO_FREE char *said = session_line_said(line);
    switch (ssh_session_ended(session)) {
    case SSH_END_SILENT:
        return "stalled";
    case SSH_END_RESET:
        return "reset";
    default:
        if (line->proxy.pid <= 0)
            return "closed";
        return *said && !text_is(trial_words_end(said), "closed") ? trial_words_end(said) : "proxy-exit";
    }
}

static void run_works(struct trial *trial, struct ssh_session *session, const struct session_line *line)
{
    int count = trial->work->channels;
    AUTO_FREE struct ssh_channel_work *works = xcalloc((size_t)count, sizeof *works);
    AUTO_FREE struct ssh_channel_end *ends = xcalloc((size_t)count, sizeof *ends);
    AUTO_ERROR broken = ERROR_INIT;
    for (int i = 0; i < count; i++)
        works[i] = (struct ssh_channel_work){.command = trial->work->command,
                                             .input_bytes = trial->work->input_bytes,
                                             .throttle = trial->work->throttle,
                                             .holds = trial->work->holds,
                                             .silence_ns = trial_silence_ns(trial->work),
                                             .keep = KEPT};
    int status = ssh_session_run(session, works, (size_t)count, trial->order->deadline, ends, &broken);
    const char *how = status < 0 ? run_end(session, line) : NULL;
    trial_take(trial, ends, count, how);
    /* Bytes that came until then: it was only slow. */
    if (status < 0 && deadline_over(trial->order->deadline) && text_is(how, "stalled") &&
        trial_moved(ends, count))
        trial->ended = "timeout";
    if (status < 0)
        text_addf(&trial->message, "%s%s", trial->message.length ? "; " : "", error_text(&broken));
    struct tcp_state tcp;
    if (ssh_session_tcp(session, &tcp, NULL) == 0)
        trial->tcp_state = trial_tcp_text(&tcp);
    for (int i = 0; i < count; i++)
        ssh_channel_end_clear(&ends[i]);
}

static void take(struct trial *trial, const struct session_way *way)
{
    int64_t since = moment_monotonic();
    struct deadline deadline = deadline_earlier(trial->order->deadline, deadline_in(LOGIN_BOUND));
    struct session_line line = SESSION_LINE_INIT;
    struct ssh_session *session = NULL;
    struct ssh_session_login login;
    AUTO_ERROR failed = ERROR_INIT;
    if (session_line_open(way, deadline, &line, &failed) < 0)
        trial->ended = trial_words_end(error_text(&failed));
    else if (session_line_log_in(way, &line, deadline, &session, &login, &failed) < 0)
        trial->ended = login_end(&login, error_text(&failed), way->proxy != NULL);
    if (session) {
        trial->begun_ns = moment_monotonic() - since;
        run_works(trial, session, &line);
    } else {
        text_add(&trial->message, error_text(&failed));
    }
    ssh_session_close(&session);
    session_line_close(&line);
}

int client_libssh(struct trial *trial, struct error *err)
{
    struct session_way way;
    if (session_way_find(trial->ssh, &way, err) < 0)
        return -1;
    way.lets_in_by_address = false;
    take(trial, &way);
    session_way_clear(&way);
    return 0;
}
