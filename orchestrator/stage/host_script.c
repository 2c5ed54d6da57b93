#include "stage/host_script.h"

#include "base/deadline.h"
#include "base/memory.h"
#include "base/moment.h"
#include "event/cause.h"
#include "process/program.h"
#include "transport/ssh_options.h"

#include <unistd.h>

enum { CONNECT_S = 10, ANSWER_LIMIT = 4 << 20, WORDS_MOST = 300 };

static int make_argv(const struct host_script *how, struct words *argv, struct error *err)
{
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    if (ssh_arguments_make(how->host.machine, how->host.target, how->kind, how->sockets,
                           how->host.agent_directory, SSH_ALIVE_INTERVAL, ssh_alive_count(how->bound_ns),
                           &ssh, err) < 0)
        return -1;
    if (!ssh.host)
        return error_set(err, ERROR_UNREACHABLE, "the host has no address yet");
    /* A master that is there is used, none is made: it would outlive this. */
    words_add_all(argv, "ssh", "-T", "-o", "ControlMaster=no", "-o", NULL);
    words_addf(argv, "ConnectTimeout=%d", how->connect_s ? how->connect_s : CONNECT_S);
    words_add_all(argv, "-o", "ClearAllForwardings=yes", "-o", "LogLevel=ERROR", NULL);
    words_add_list(argv, words_argv(&ssh.options));
    /* Root sees more; sudo is asked only whether it works without a question. One line without '!': the login
     * shell may be a csh. */
    words_add_all(argv, "--", ssh.host,
                  how->as_login_user
                      ? "exec /bin/sh"
                      : "exec /bin/sh -c 'case $(id -u) in 0) ;; *) sudo -n true </dev/null >/dev/null 2>&1 "
                        "&& exec sudo -n /bin/sh ;; esac; exec /bin/sh'",
                  NULL);
    return 0;
}

static int no_connection(const struct text *said, const char **cause, struct error *err)
{
    AUTO_TEXT shown = TEXT_INIT;
    text_add_printable_lines(&shown, text_string(said), "; ");
    if (shown.length > WORDS_MOST)
        text_truncate(&shown, WORDS_MOST);
    if (cause)
        *cause = cause_of_text(text_string(said));
    return error_set(err, ERROR_UNREACHABLE, "no connection to the host: %s",
                     shown.length ? text_string(&shown) : "ssh did not say why");
}

int host_script_run(const struct host_script *how, const char *script, struct text *out, int *code,
                    const char **cause, struct error *err)
{
    AUTO_WORDS argv = WORDS_INIT;
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR failed = ERROR_INIT;
    struct child_end end = {0};
    if (cause)
        *cause = NULL;
    if (make_argv(how, &argv, err) < 0)
        return -1;
    struct program program = {.argv = words_argv(&argv),
                              .input = script,
                              .bound_ns = how->bound_ns,
                              .output_limit = ANSWER_LIMIT,
                              .echo = how->says_more ? STDERR_FILENO : 0,
                              .keeps_back_output = true};
    if (program_run(&program, out, &said, &end, &failed) < 0)
        return failed.kind == ERROR_DEADLINE
                   ? error_set(err, ERROR_UNREACHABLE, "the host did not answer within the bound")
                   : error_move(err, &failed);
    if (end.code == 255)
        return no_connection(&said, cause, err);
    if (code)
        *code = end.code;
    return 0;
}
