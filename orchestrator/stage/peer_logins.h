/* The run's masters of a target's peers: opened by the stage `transport` beside the target's own, by logins
 * with the same patience. Ansible, which would open them itself, takes a host for dead that is silent for
 * `host_silent` while it logs in. A peer that cannot be reached fails nothing: it is told, and a task that is
 * delegated to it connects by itself. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "config/config.h"
#include "event/machine.h"
#include "format/json.h"
#include "process/scope.h"

struct peer_logins;

struct peer_logins_request {
    const struct project *project;
    const struct target *target;
    const struct machine *machine; /* the target's: a peer that has its socket has its master */
    const char *run, *marker;      /* marker: NAME=VALUE of the scope */
    const struct scope *masters;   /* outlives the logins */
    int alive_count;
    struct deadline deadline; /* a login that is on its way has all of it */
};

/* Gives the peers' keys to the run's agents and begins to log in, each in a child of its own.
 * ERROR_PROJECT for a peer that is not what was made of it, or a key that does not open. NULL in `out`
 * where nobody is to be logged in to. */
int peer_logins_begin(const struct peer_logins_request *request, struct peer_logins **out, struct error *err);
/* Waits for those that are on their way (`wait`), ends the others, says in the step's log who was not
 * reached, and frees. [{"name","transport","rung","cause","why"}] of those that were asked, cause and why
 * null where there is a master now; NULL: nobody was. The caller frees. */
struct json *peer_logins_end(struct peer_logins **logins, bool wait);
