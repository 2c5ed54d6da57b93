#include "diagnose/flow.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "transport/session_way.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 200, ROUND_BYTES = 64, FLOW_S = 20, SS_S = 3, KEPT = 4000 };
#define ROUND_BOUND (4 * NS_PER_S)
#define LATE_NS     (190 * NS_PER_MS)

static const char ask_kernel[] =
    "exec sh -c 'set -- $SSH_CONNECTION; ss -tinOH state established \"sport = :$4 and dport = :$2\"'";

static int64_t number_behind(const char *said, const char *name)
{
    const char *at = strstr(said, name);
    return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

bool flow_read(const char *said, int64_t *segments, int64_t *again)
{
    const char *tries = strstr(said, " retrans:"), *total = tries ? strchr(tries, '/') : NULL;
    int64_t out = number_behind(said, " data_segs_out:");
    if (out < 0)
        return false;
    *segments = out;
    *again = total ? strtoll(total + 1, NULL, 10) : 0;
    return true;
}

int flow_late(const int64_t *rounds, int count)
{
    int late = 0;
    int64_t least = INT64_MAX;
    for (int i = 0; i < count; i++)
        least = rounds[i] < least ? rounds[i] : least;
    for (int i = 0; i < count; i++)
        late += rounds[i] > least + LATE_NS;
    return late;
}

static void ask_host(struct ssh_session *session, struct surroundings_way *way)
{
    const struct ssh_channel_work work = {.command = ask_kernel, .keep = KEPT};
    struct ssh_channel_end end = {.exit_code = -1};
    struct tcp_state own;
    if (ssh_session_run(session, &work, 1, deadline_in(SS_S * NS_PER_S), &end, NULL) == 0)
        (void)flow_read(text_string(&end.kept), &way->segments, &way->segments_again);
    ssh_channel_end_clear(&end);
    if (way->segments >= 0 && ssh_session_tcp(session, &own, NULL) == 0)
        way->segments_again += own.retransmitted;
}

static int look(struct ssh_session *session, struct deadline bound, struct surroundings_way *way,
                struct error *err)
{
    AUTO_FREE int64_t *rounds = xcalloc(ROUNDS, sizeof *rounds);
    int done = 0, late = 0;
    /* In parts, so that a path that loses much is told by what its time was enough for. */
    while (done < ROUNDS && deadline_left(bound) > ROUND_BOUND) {
        int got = ssh_session_echo(session, ROUND_BYTES, 20, ROUND_BOUND, rounds + done, err);
        if (got <= 0)
            break;
        done += got;
    }
    if (!done)
        return -1;
    late = flow_late(rounds, done);
    way->rounds = done;
    way->rounds_late = late;
    ask_host(session, way);
    return 0;
}

int flow_look(const struct cell_order *order, struct surroundings_way *way, struct error *err)
{
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    struct session_way session_way;
    struct session_line line = SESSION_LINE_INIT;
    struct ssh_session *session = NULL;
    struct ssh_session_login login;
    struct deadline bound = deadline_earlier(order->deadline, deadline_in(FLOW_S * NS_PER_S));
    const char *agent = ssh_needs_agent(order->machine, order->target) ? order->directory : NULL;
    if (ssh_arguments_make(order->machine, order->target, order->kind, NULL, agent, SSH_ALIVE_INTERVAL, 8,
                           &ssh, err) < 0 ||
        session_way_find(&ssh, &session_way, err) < 0)
        return -1;
    int status = session_line_open(&session_way, bound, &line, err) < 0 ||
                         session_line_log_in(&session_way, &line, bound, &session, &login, err) < 0
                     ? -1
                     : look(session, bound, way, err);
    ssh_session_close(&session);
    session_line_close(&line);
    session_way_clear(&session_way);
    return status;
}
