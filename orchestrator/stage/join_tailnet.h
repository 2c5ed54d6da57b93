/* A machine as a device of its target's tailnet: before its bootstrap, whether it is one already and whether
 * another stands in the way of its name; behind it, that it is one, once, with the right name, tags and an
 * address. Blocking: for the stages `tailnet-look` and `tailnet`. */
#pragma once
#include "stage/sweep.h"

/* Of the request: bound_ns, run, known ([{"target", "address", "node"}]: devices of the store's other
 * machines), bootstraps (the recipe has a phase that joins it), key_id (of the key that was made for it,
 * which is deleted). Both fill the result: "evidence", "cause" of a failure; and the machine's `tailnet`. */

/* Result: "joined": it is a device as wanted, and nothing need be done. Where it is not, the name it is going
 * to have is noted in the machine: a device of that name is its own from then on. A stale device that has
 * the name is refused, or removed where the target says so. */
int join_tailnet_look(const struct project *project, const struct host *host, struct machine *machine,
                      const struct json *request, struct json *result, struct error *err);
int join_tailnet_verify(const struct project *project, const struct host *host, struct machine *machine,
                        const struct json *request, struct json *result, struct error *err);
