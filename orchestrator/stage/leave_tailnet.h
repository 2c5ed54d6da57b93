/* A machine's end in its tailnet: the host is logged out while it is there, and its device is seen to be
 * gone. Blocking: for the stage `destroy`. */
#pragma once
#include "stage/sweep.h"

/* Logs the host out, where triphase joined it; one that could only say that it will is waited for until its
 * device is seen to be off, at most 25 s. Never fails: a host that is dead is removed all the same, and
 * whether its device is gone is asked afterwards. `directory`: the project's, for secrets; may be NULL. What
 * was done goes into `evidence`. */
void leave_tailnet_begin(const struct host *host, const char *directory, struct machine *machine,
                         struct json *evidence);
/* Until the device is gone, as the API says (which deletes it where it is there still), else this machine's
 * own tailscaled. ERROR_PROVIDER: it is there, or nobody can say; the message says what to do. `target`
 * may be NULL. */
int leave_tailnet_end(const struct target *target, const char *directory, struct machine *machine,
                      int64_t bound_ns, struct json *evidence, struct error *err);
