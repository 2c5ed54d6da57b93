/* One diagnosis of a target: its ways, its matrix, the cells, the store, what follows. */
#pragma once
#include "config/config.h"
#include "diagnose/diagnosis.h"
#include "diagnose/matrix.h"

struct diagnose_wish {
    enum matrix_size size;
    bool changes, threshold, resume;
    struct words transports; /* empty: the target's */
};

/* In the current folder, the project's. Progress and notes go to stderr. `out` is zeroed by the caller
 * and his to clear, also after a failure. ERROR_CANCELLED after INT, TERM or HUP: what was taken is in
 * the store, and --resume goes on with it. Nothing that it started goes on here, or outlives its
 * connection on the host. */
int diagnose_take(struct project *project, const struct target *target, const struct diagnose_wish *wish,
                  struct diagnosis *out, struct error *err);
