/* One way to a host, probed in this process. */
#pragma once
#include "control/reach.h"

struct probe_order {
    const struct reach *reach;
    const char *agent_directory; /* where the agent of a key that needs one is; NULL: none is needed */
    int turn;                    /* a file that is locked while figures are taken */
};

/* The transport's entry of the report; what fails is in it. */
struct json *probe_way(const struct probe_order *order);
