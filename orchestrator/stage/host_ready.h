/* Waits until one entry of a target's `ready` holds of its host. Blocking: for the stages `ready-…`. */
#pragma once
#include "stage/sweep.h"

/* Of the request: bound_ns, `ready_at` (which entry), `transport` (NULL: over direct). Fills the result:
 * "evidence"; "cause" of a failure and of a "warning"; "samples", the stages of cloud-init; "rebooted" where
 * it rebooted the host. What the host is not, within the bound or at all, is an ERROR_PROVIDER. */
int host_ready_wait(const struct host *host, const struct json *request, struct json *result,
                    struct error *err);
