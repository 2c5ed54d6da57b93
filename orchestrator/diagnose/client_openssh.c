/* The OpenSSH client with the arguments of the inventory: by itself, over a mux master of its own, or
 * over one that is there. */
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "diagnose/client.h"
#include "diagnose/stream.h"
#include "transport/master_control.h"
#include "transport/route.h"

#include <string.h>

#define MASTER_BOUND (20 * NS_PER_S)

enum { KEPT = 600, SSH_FAILED = 255 };

static void add_words(struct trial *trial, const char *command, struct words *out)
{
    const char *master = json_get_string(trial->cell->parameters, "master", NULL);
    words_add(out, "ssh");
    if (master) {
        AUTO_TEXT path = TEXT_INIT;
        for (const char *c = master; *c; c++)
            text_addf(&path, "%s%c", *c == '%' ? "%" : "", *c);
        words_add_all(out, "-o", "ControlMaster=no", "-o", NULL);
        words_addf(out, "ControlPath=%s", text_string(&path));
    }
    words_add_all(out, "-T", "-o", "LogLevel=INFO", "-o", "PermitLocalCommand=no", NULL);
    words_add_list(out, words_argv(&trial->ssh->options));
    words_add_all(out, "--", trial->ssh->host, command, NULL);
}

static bool is_broken(const struct ssh_channel_end *ends, int count)
{
    for (int i = 0; i < count; i++)
        if (!ends[i].ended || ends[i].exit_code == SSH_FAILED ||
            strstr(text_string(&ends[i].said), "refused by peer"))
            return true;
    return false;
}

/* What ssh itself says of an end is on its stderr, where the command's words are too. */
static const char *broken_end(struct trial *trial, struct ssh_channel_end *ends, int count, bool cut)
{
    const char *how = NULL;
    for (int i = 0; i < count; i++) {
        struct ssh_channel_end *end = &ends[i];
        const char *words = text_string(&end->said);
        /* Where a master is refused a channel ssh connects anew, which not every host lets it do. */
        end->refused = strstr(words, "refused by peer") != NULL;
        if (end->ended && !end->refused && end->exit_code != SSH_FAILED)
            continue;
        if (!end->refused && !how)
            how = cut && !end->ended ? "stalled" : trial_words_end(words);
        end->ended = false;
        text_addf(&trial->message, "%s", trial->message.length ? "; " : "");
        text_add_printable_lines(&trial->message, words, "; ");
    }
    return how;
}

/* Of several that begin at once none would find a master. What is wrong with it the work itself meets. */
static void begin_master(struct trial *trial)
{
    AUTO_WORDS argv = WORDS_INIT;
    struct ssh_channel_end end;
    add_words(trial, "true", &argv);
    struct stream stream = {.argv = words_argv(&argv),
                            .scope = trial->order->scope,
                            .silence_ns = MASTER_BOUND};
    (void)stream_run(&stream, 1, trial->order->deadline, &end, NULL);
    ssh_channel_end_clear(&end);
}

static void end_master(const struct trial *trial)
{
    struct transport_route route = {0};
    if (!trial->ssh->multiplexed || transport_resolve(trial->ssh, &route, NULL) < 0)
        return;
    if (route.control_path && master_socket_there(route.control_path))
        (void)master_ask(route.control_path, "exit");
    transport_route_clear(&route);
}

int client_openssh(struct trial *trial, struct error *err)
{
    int count = trial->work->channels;
    AUTO_WORDS argv = WORDS_INIT;
    AUTO_FREE struct stream *streams = xcalloc((size_t)count, sizeof *streams);
    AUTO_FREE struct ssh_channel_end *ends = xcalloc((size_t)count, sizeof *ends);
    AUTO_ERROR failed = ERROR_INIT;
    int64_t since = moment_monotonic();
    if (trial->ssh->multiplexed)
        begin_master(trial);
    trial->begun_ns = moment_monotonic() - since;
    add_words(trial, trial->work->command, &argv);
    for (int i = 0; i < count; i++)
        streams[i] = (struct stream){.argv = words_argv(&argv),
                                     .scope = trial->order->scope,
                                     .input_bytes = trial->work->input_bytes,
                                     .holds = trial->work->holds,
                                     .throttle = trial->work->throttle,
                                     .silence_ns = trial_silence_ns(trial->work),
                                     .keep = KEPT,
                                     .on_look = trial_look_at_tcp,
                                     .context = trial};
    int status = stream_run(streams, count, trial->order->deadline, ends, &failed);
    if (status < 0 && failed.kind != ERROR_DEADLINE) {
        error_move(err, &failed);
    } else {
        bool cut = status < 0, broken = is_broken(ends, count);
        const char *how = broken ? broken_end(trial, ends, count, cut) : NULL;
        trial_take(trial, ends, count, how);
        if (cut && trial_moved(ends, count) && text_is(trial->ended, "stalled"))
            trial->ended = "timeout";
        status = 0;
    }
    end_master(trial);
    for (int i = 0; i < count; i++)
        ssh_channel_end_clear(&ends[i]);
    return status;
}
