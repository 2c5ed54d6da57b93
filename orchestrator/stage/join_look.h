/* Before what brings a host into its tailnet: whether it is a device there already, and whether another one
 * stands in the way of its name. Blocking: for the stage `tailnet-look`. */
#pragma once
#include "stage/sweep.h"

/* Of the request: bound_ns, run, known ([{"target", "address", "name"}]: devices of the store's other
 * machines), bootstraps (the recipe has a phase that joins it). Fills the result: "evidence", "cause" of a
 * failure, "joined": it is a device as wanted, and nothing need be done; and the machine's `tailnet`. Where
 * it is not, the name it is going to have is noted there: a device of that name is its own from then on. A
 * stale device that has the name is refused, or removed where the target says so. */
int join_look(const struct project *project, const struct host *host, struct machine *machine,
              const struct json *request, struct json *result, struct error *err);
