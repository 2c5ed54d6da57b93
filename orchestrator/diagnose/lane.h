/* A lane: a child of its own that takes cells one after the other, and tells of each as it ends. */
#pragma once
#include "diagnose/cell_run.h"
#include "diagnose/matrix.h"
#include "process/child.h"

struct lane_order {
    const struct matrix *matrix;
    size_t lane;
    struct cell_order way; /* its deadline is that of all */
    const char *marker;    /* NAME=VALUE for what the child starts */
};

/* Each line that comes out of `fd` is a JSON object: {"at": N, "begun": true}, {"at": N, "cell": {…}},
 * {"again": {…}} for one that was bad and is taken once more, {"way": {…}} for what was seen of losses.
 * The caller closes `fd`, and awaits the child, which is in the scope of `way` and ends with this
 * process. */
int lane_start(const struct lane_order *order, struct child *child, int *fd, struct error *err);
