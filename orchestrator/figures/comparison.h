/* Two sides of runs set against each other, from the store alone: which phases, roles and tasks got slower
 * beyond noise. Only first attempts that ended ok count, of runs that are neither partial nor a destroy or
 * resume; what differs in target, recipe, transport, freshness, Ansible, acceleration or the digest of -e
 * arguments is shown, not judged. */
#pragma once
#include "figures/regression.h"
#include "figures/side.h"

struct comparison_row {
    struct regression judged; /* its values are the comparison's */
    char *step, *role, *task; /* role and task where the level has them; a role may be NULL */
    char *transport;
    char *accelerated; /* never NULL, as of a statistic */
    char *differs;     /* REGRESSION_UNLIKE: in what, "ansible 2.18.6 and 2.19.14"; else NULL */
};

struct comparison {
    struct comparison_side before, after;
    size_t others;               /* earlier runs of the target that are not alike (comparison_regress) */
    struct comparison_row *rows; /* slower ones first, then phases, roles, tasks */
    size_t count, slower, judged;
    int64_t *values;
};

/* Two sides by name: a run's or cycle's id (whole or the last 8 hex), `last` or `previous` (the newest run or
 * cycle and the one before it, of the target where given). ERROR_USAGE for one that is not there. */
int comparison_compare(struct sql *db, const char *before, const char *after, const char *target,
                       struct comparison *out, struct error *err);
/* A side (NULL: the newest run or cycle of the target, or of the store) against at most
 * 60 alike runs before it. */
int comparison_regress(struct sql *db, const char *after, const char *target, struct comparison *out,
                       struct error *err);
/* A cycle against the runs of earlier cycles of its target. */
int comparison_trend(struct sql *db, const char *group, struct comparison *out, struct error *err);
void comparison_clear(struct comparison *comparison);
/* "slower", "not-slower", or "too-little-data" when nothing could be judged. */
const char *comparison_verdict(const struct comparison *comparison);
