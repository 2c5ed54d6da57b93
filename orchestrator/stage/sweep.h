/* Looking at the host for what ended steps left there, and ending it; waiting for the run's async jobs. Each
 * question goes over a connection of its own, with the inventory's arguments but no master, and the script
 * over stdin. Blocking: for the stages `sweep` and `async`. */
#pragma once
#include "base/error.h"
#include "config/config.h"
#include "event/machine.h"
#include "format/json.h"

struct host {
    const struct target *target;
    const struct machine *machine;
    const char *agent_directory; /* of the run's key agent, which is there; NULL: none is needed */
};

/* Bodies of the stages. of the request: transport, bound_ns, connect_ns (for coming through to the host;
 * none: as long as there is time), grace_ns, root_run, chain (ids of its runs), looks: [{"run", "step",
 * "session", "boot", "since"}]. */
/* Fills result: "looks": [{"run", "step", "left", "evidence"}], "jobs": N, "job_ids": […]. */
int sweep_host(const struct host *host, const struct json *request, struct json *result, struct error *err);
/* Returns when no async job of the run is left that has not ended. ERROR_DEADLINE at its bound. */
int sweep_await_jobs(const struct host *host, const struct json *request, struct json *result,
                     struct error *err);
/* Ends the masters of a run and removes their sockets, whatever state they are in. */
void sweep_drop_masters(const char *run);
