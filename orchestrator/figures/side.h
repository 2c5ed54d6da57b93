/* One side of a comparison: which runs it is made of. Whole runs that ended count; partial ones, destroys and
 * resumes do not. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "format/sql.h"

struct comparison_side {
    char *name;        /* "run 0a1b2c3d", "cycle 0a1b2c3d", "12 earlier runs" */
    char *target;      /* of its newest run; NULL for earlier ones */
    struct words runs; /* ids, newest first; without those that count for nothing */
    size_t skipped;    /* runs that were named but count for nothing */
    char *evidence;    /* JSON: the transport's, of its newest run that has one, those that count first; NULL:
                        * none, and of earlier runs */
};

/* The whole id of a run or a cycle, malloc'ed, by what a user gave: that, its last 8 hex digits, or `last` or
 * `previous` (the newest that counts and the one before it, of `target` where given). ERROR_USAGE where there
 * is none. */
int comparison_side_find(struct sql *db, const char *name, const char *target, char **out, struct error *err);
/* `out` is zeroed by the caller and his to free, also after a failure. */
int comparison_side_load(struct sql *db, const char *unit, struct comparison_side *out, struct error *err);
/* At most 60 runs of the same target, begun before the unit, that are alike in recipe, freshness, Ansible and
 * digest of -e arguments; `others`: how many are not. `grouped`: of cycles only. */
int comparison_side_earlier(struct sql *db, const char *unit, bool grouped, struct comparison_side *out,
                            size_t *others, struct error *err);
void comparison_side_clear(struct comparison_side *side);
