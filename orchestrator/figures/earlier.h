/* What an estimate is made of: the earlier steps of the same kind, read from the store once. */
#pragma once
#include "figures/estimate.h"
#include "store/history.h"

/* Of the run `id` and its step, of which kind, name, attempt, transport and accelerated count. At most the
 * last 20, and of these as many as have 50,000 tasks together (one that has more: without its tasks). *out is
 * NULL where there is none, else the caller's to free. */
int earlier_estimate(struct sql *db, const char *id, const struct history_step *step, struct estimate **out,
                     struct error *err);

/* The step that a run is at, and how far. `state`: the folder .triphase, for its event file. */
struct earlier_now {
    char *name; /* NULL: it is between two */
    int attempt;
    int64_t elapsed_ns;
    struct estimate_figures figures;
};
int earlier_now(struct sql *db, const char *state, const struct history_run *run, struct earlier_now *out,
                struct error *err);
void earlier_now_clear(struct earlier_now *now);
