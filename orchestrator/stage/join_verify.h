/* Behind what brings a host into its tailnet: that it is a device there, once, with the right name, tags and
 * an address. Blocking: for the stage `tailnet`. */
#pragma once
#include "stage/sweep.h"

/* Of the request: bound_ns, run, key_id (of the key that was made for it, which is deleted). Fills the
 * result: "evidence", "cause" of a failure; and the machine's `tailnet`. */
int join_verify(const struct project *project, const struct host *host, struct machine *machine,
                const struct json *request, struct json *result, struct error *err);
