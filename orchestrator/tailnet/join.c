#include "tailnet/join.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/program.h"
#include "tailnet/join_error.h"
#include "tailnet/own_environment.h"

/* The program ends by itself at its --timeout; what hangs beyond that is killed. */
#define BEYOND (3 * NS_PER_S)

static void add_settings(const struct join_order *order, struct words *out)
{
    words_addf(out, "--hostname=%s", order->hostname);
    words_addf(out, "--ssh=%s", order->ssh ? "true" : "false");
    words_addf(out, "--accept-routes=%s", order->accept_routes ? "true" : "false");
    words_addf(out, "--accept-dns=%s", order->accept_dns ? "true" : "false");
    /* Nobody is there to answer; what it asks about is a daemon of our own. */
    words_add(out, "--accept-risk=all");
}

void join_words(const struct join_order *order, int seconds, struct words *out)
{
    AUTO_FREE char *tags = words_join(order->tags, ",");
    words_addf(out, "--socket=%s", order->socket);
    words_add_all(out, "up", "--reset", NULL);
    words_addf(out, "--timeout=%ds", seconds);
    if (order->key)
        words_add(out, "--auth-key=file:/proc/self/fd/0");
    if (order->login_server)
        words_addf(out, "--login-server=%s", order->login_server);
    words_addf(out, "--advertise-tags=%s", tags);
    add_settings(order, out);
}

static int run(const struct words *argv, const char *input, struct deadline deadline, struct text *said,
               int *code, struct error *err)
{
    AUTO_WORDS environment = WORDS_INIT;
    struct child_end end = {0};
    own_environment(&environment);
    struct program program = {.argv = words_argv(argv),
                              .environment = words_argv(&environment),
                              .input = input,
                              .bound_ns = deadline_left(deadline) + BEYOND};
    if (program_run(&program, said, said, &end, err) < 0)
        return -1;
    *code = end.code;
    return 0;
}

int join_up(const struct join_order *order, struct deadline deadline, struct error *err)
{
    AUTO_WORDS argv = WORDS_INIT;
    AUTO_TEXT said = TEXT_INIT;
    int code = 0;
    int64_t seconds = deadline_left(deadline) / NS_PER_S;
    words_add(&argv, order->program);
    join_words(order, seconds > 0 ? (int)seconds : 1, &argv);
    if (run(&argv, order->key, deadline, &said, &code, err) < 0)
        return error_prefix(err, "joining the tailnet");
    return code == 0 ? 0 : join_error_of(text_string(&said), err);
}

int join_set(const struct join_order *order, struct deadline deadline, struct error *err)
{
    AUTO_WORDS argv = WORDS_INIT;
    AUTO_TEXT said = TEXT_INIT;
    int code = 0;
    words_add(&argv, order->program);
    words_addf(&argv, "--socket=%s", order->socket);
    words_add(&argv, "set");
    add_settings(order, &argv);
    if (run(&argv, NULL, deadline, &said, &code, err) < 0)
        return error_prefix(err, "changing the settings of this machine's tailscaled");
    return code == 0 ? 0 : join_error_of(text_string(&said), err);
}
