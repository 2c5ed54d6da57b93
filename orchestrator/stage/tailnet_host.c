#include "stage/tailnet_host.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/cause.h"
#include "process/program.h"
#include "transport/ssh_options.h"

#include <string.h>

enum { CONNECT_S = 10, ANSWER_LIMIT = 4 << 20, WORDS_MOST = 300 };

/* The programs may lie where a login shell that is not interactive does not look. */
#define BEGIN                                                                   \
    "PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n" \
    "command -v tailscale >/dev/null 2>&1 || { printf '\\n%s absent\\n' \"$nonce\"; exit 0; }\n"

static const char ask_script[] = BEGIN "said=$(timeout 10 tailscale status --json 2>/dev/null) || { printf "
                                       "'\\n%s absent\\n' \"$nonce\"; exit 0; }\n"
                                       "printf '\\n%s there\\n%s\\n' \"$nonce\" \"$said\"\n";

static const char log_out_script[] =
    BEGIN "said=$(timeout 20 tailscale logout 2>&1) || printf '%s\\n' \"$said\" >&2\n"
          "case $(timeout 5 tailscale status --json --peers=false 2>/dev/null | tr -d ' \\n') in\n"
          "*'\"BackendState\":\"NeedsLogin\"'*|*'\"BackendState\":\"NoState\"'*) printf '\\n%s out\\n' "
          "\"$nonce\" ;;\n"
          "*) printf '\\n%s in\\n' \"$nonce\" ;;\n"
          "esac\n";

static const char log_out_later_script[] =
    BEGIN "setsid sh -c 'sleep 1; exec timeout 20 tailscale logout' </dev/null >/dev/null 2>&1 &\n"
          "printf '\\n%s later\\n' \"$nonce\"\n";

static int make_argv(const struct tailnet_host *host, struct deadline deadline, struct words *argv,
                     struct error *err)
{
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    if (ssh_arguments_make(host->host.machine, host->host.target, host->kind, host->sockets,
                           host->host.agent_directory, SSH_ALIVE_INTERVAL,
                           ssh_alive_count(deadline_left(deadline)), &ssh, err) < 0)
        return -1;
    if (!ssh.host)
        return error_set(err, ERROR_UNREACHABLE, "the host has no address yet");
    /* A master that is there is used, none is made: it would outlive this. */
    words_add_all(argv, "ssh", "-T", "-o", "ControlMaster=no", "-o", NULL);
    words_addf(argv, "ConnectTimeout=%d", CONNECT_S);
    words_add_all(argv, "-o", "ClearAllForwardings=yes", "-o", "LogLevel=ERROR", NULL);
    words_add_list(argv, words_argv(&ssh.options));
    words_add_all(argv, "--", ssh.host,
                  "exec /bin/sh -c 'case $(id -u) in 0) ;; *) sudo -n true </dev/null >/dev/null 2>&1 "
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

/* What stands behind the line "NONCE WORD", and the word. */
static int run(const struct tailnet_host *host, const char *script, struct deadline deadline, char **word,
               struct text *rest, const char **cause, struct error *err)
{
    char nonce[ID_SIZE];
    id_make(nonce);
    AUTO_WORDS argv = WORDS_INIT;
    AUTO_FREE char *whole = xasprintf("nonce=%s\n%s", nonce, script);
    AUTO_TEXT out = TEXT_INIT, said = TEXT_INIT;
    AUTO_ERROR failed = ERROR_INIT;
    struct child_end end = {0};
    if (cause)
        *cause = NULL;
    if (make_argv(host, deadline, &argv, err) < 0)
        return -1;
    struct program program = {.argv = words_argv(&argv),
                              .input = whole,
                              .bound_ns = deadline_left(deadline),
                              .output_limit = ANSWER_LIMIT};
    if (program_run(&program, &out, &said, &end, &failed) < 0)
        return failed.kind == ERROR_DEADLINE
                   ? error_set(err, ERROR_UNREACHABLE, "the host did not answer within the bound")
                   : error_move(err, &failed);
    if (end.code == 255)
        return no_connection(&said, cause, err);
    const char *at = strstr(text_string(&out), nonce);
    if (!at)
        return error_set(err, ERROR_SYSTEM,
                         "the host's shell answered, but not what it was asked (it ended "
                         "with %d)",
                         end.code);
    at += strlen(nonce) + 1;
    size_t length = strcspn(at, "\n");
    *word = xstrndup(at, length);
    if (rest && at[length])
        text_add(rest, at + length + 1);
    return 0;
}

int tailnet_host_ask(const struct tailnet_host *host, struct deadline deadline, struct tailnet_status *out,
                     bool *there, const char **cause, struct error *err)
{
    AUTO_FREE char *word = NULL;
    AUTO_TEXT rest = TEXT_INIT;
    if (run(host, ask_script, deadline, &word, &rest, cause, err) < 0)
        return -1;
    *there = text_is(word, "there") && tailnet_status_parse(text_string(&rest), rest.length, out, NULL) == 0;
    return 0;
}

int tailnet_host_log_out(const struct tailnet_host *host, struct deadline deadline, bool *is_out,
                         struct error *err)
{
    AUTO_FREE char *word = NULL;
    const char *script = host->kind == TRANSPORT_DIRECT ? log_out_script : log_out_later_script;
    if (run(host, script, deadline, &word, NULL, NULL, err) < 0)
        return -1;
    *is_out = text_is(word, "out") || text_is(word, "absent");
    return 0;
}
