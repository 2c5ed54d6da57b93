/* A host asked itself of its tailnet, and logged out of it: by `tailscale` there, in a connection of its own
 * or over the run's master. Blocking: for stages. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "stage/sweep.h"
#include "tailnet/status.h"

struct tailnet_host {
    struct host host;
    enum transport_kind kind;
    const char *sockets; /* folder of the run's masters over it; NULL: none is used */
};

/* What its tailscaled says. *there false: it has no tailscale, or no daemon that answers, and the status is
 * empty. ERROR_UNREACHABLE: no connection to the host; `cause` (may be NULL) gets its class. */
int tailnet_host_ask(const struct tailnet_host *host, struct deadline deadline, struct tailnet_status *out,
                     bool *there, const char **cause, struct error *err);
/* Logs it out, at most 20 s of it. Over a tailnet the host does it a second after it said that it would, for
 * the connection goes with it. *is_out: it says so. */
int tailnet_host_log_out(const struct tailnet_host *host, struct deadline deadline, bool *is_out,
                         struct error *err);
