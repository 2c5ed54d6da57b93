/* A script of triphase's own run on a host by /bin/sh, in a connection of its own or over the run's master.
 * Blocking: for stages. */
#pragma once
#include "base/error.h"
#include "base/text.h"
#include "stage/sweep.h"

struct host_script {
    struct host host;
    enum transport_kind kind;
    const char *sockets; /* folder of the run's masters over it; NULL: none is used */
    bool as_login_user;  /* else as root, where sudo asks nothing */
    bool says_more;      /* its stderr goes to the step's log as it comes */
    int connect_s;       /* until the host's sshd has answered; 0: 10 */
    int64_t bound_ns;    /* for all of it */
};

/* `script` is its stdin; `out` gets its stdout, at most 4 MiB, and `code` (may be NULL) what the shell ended
 * with. ERROR_UNREACHABLE: no connection to the host, or none any more, or no end within the bound; `cause`
 * (may be NULL) gets its class, NULL where there is none. */
int host_script_run(const struct host_script *how, const char *script, struct text *out, int *code,
                    const char **cause, struct error *err);
