#include "stage/tailnet_host.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "stage/host_script.h"

#include <string.h>

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

/* What stands behind the line "NONCE WORD", and the word. */
static int run(const struct tailnet_host *host, const char *script, struct deadline deadline, char **word,
               struct text *rest, const char **cause, struct error *err)
{
    char nonce[ID_SIZE];
    id_make(nonce);
    AUTO_FREE char *whole = xasprintf("nonce=%s\n%s", nonce, script);
    AUTO_TEXT out = TEXT_INIT;
    int code = 0;
    const struct host_script how = {.host = host->host,
                                    .kind = host->kind,
                                    .sockets = host->sockets,
                                    .bound_ns = deadline_left(deadline)};
    if (host_script_run(&how, whole, &out, &code, cause, err) < 0)
        return -1;
    const char *at = strstr(text_string(&out), nonce);
    if (!at)
        return error_set(err, ERROR_SYSTEM,
                         "the host's shell answered, but not what it was asked (it ended "
                         "with %d)",
                         code);
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
