#include "diagnose/flow.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/program.h"
#include "transport/ssh_options.h"

#include <stdlib.h>
#include <string.h>

enum { FLOW_S = 20 };

/* So little and so slowly that no bucket on the way is ever full of it. */
static const char script[] =
    "i=0; while [ $i -lt 200 ]; do printf '%0100d\\n' 0 || exit; sleep 0.02; i=$((i+1)); done; "
    "set -- $SSH_CONNECTION; ss -tinOH state established \"sport = :$4 and dport = :$2\"";

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

int flow_look(const struct cell_order *order, struct surroundings_way *way, struct error *err)
{
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    AUTO_WORDS argv = WORDS_INIT;
    AUTO_TEXT out = TEXT_INIT, said = TEXT_INIT;
    struct child_end end = {0};
    bool agent = ssh_needs_agent(order->machine, order->target);
    if (ssh_arguments_make(order->machine, order->target, order->kind, NULL, agent ? order->directory : NULL,
                           SSH_ALIVE_INTERVAL, 8, &ssh, err) < 0)
        return -1;
    words_add_all(&argv, "ssh", "-T", "-o", "ControlMaster=no", "-o", "ControlPath=none", NULL);
    words_add_list(&argv, words_argv(&ssh.options));
    words_add_all(&argv, "--", ssh.host, script, NULL);
    struct deadline bound = deadline_earlier(order->deadline, deadline_in(FLOW_S * NS_PER_S));
    struct program program = {.argv = words_argv(&argv),
                              .scope = order->scope,
                              .bound_ns = deadline_left(bound)};
    if (program_run(&program, &out, &said, &end, err) < 0)
        return -1;
    if (!flow_read(text_string(&out), &way->segments, &way->segments_again))
        return error_set(err, ERROR_UNREACHABLE, "the host does not say how often it sent segments again");
    return 0;
}
