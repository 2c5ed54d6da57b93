/* Taking one cell: its work, over its transport, by its client, once, and how that went. Blocking, in a child
 * of its own that is ended when its time is over. */
#pragma once
#include "base/deadline.h"
#include "config/config.h"
#include "config/transport_kind.h"
#include "diagnose/cell.h"
#include "event/machine.h"
#include "process/scope.h"

struct cell_order {
    const struct project *project;
    const struct target *target;
    const struct machine *machine;
    enum transport_kind kind;
    /* Exists, 0700: for sockets; an agent for the key is in it where the key needs one
     * (transport/key_agent.h). */
    const char *directory;
    const struct scope *scope; /* of all that is started */
    bool allow_changes;        /* works that write or install on the host are taken too */
    struct deadline deadline;
};

/* Fills `io` behind its parameters. Of these "master" is the path of a mux master's socket that the client
 * openssh rides on, "mux" true one of its own. -1 where nothing could be tried. */
int cell_run(const struct cell_order *order, struct cell *io, struct error *err);
