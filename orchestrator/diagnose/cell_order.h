/* What a cell is taken with: the machine, the way there, and what of this machine it may use. */
#pragma once
#include "base/deadline.h"
#include "config/config.h"
#include "config/transport_kind.h"
#include "event/machine.h"
#include "process/scope.h"
#include <stdbool.h>

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
