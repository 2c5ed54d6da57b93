/* What `drift` found: which tasks would change something on which target, since when, and what could not be
 * looked at. */
#pragma once
#include "store/history.h"
#include "store/history_drift.h"

struct drift_target {
    const char *target;
    struct history_run *run; /* NULL: none was begun */
    struct history_drift *found;
    size_t count;
};

/* Paths in the project's folder are shown from there. -1 with errno when stdout could not be written. */
int drift_view_print(const struct drift_target *targets, size_t count, const char *directory);
/* {"version":1,"targets":[…],"rows":[…],"unchecked":[…]} */
int drift_view_print_json(const struct drift_target *targets, size_t count);
