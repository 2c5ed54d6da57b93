/* Sums over the tasks of runs, by role or by task: read once, in the order they lie in, and added up in
 * memory, so that a million rows are neither sorted nor written to a temporary file. Read-only; the caller
 * clears. */
#pragma once
#include "base/error.h"
#include "format/sql.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum history_by { HISTORY_BY_ROLE, HISTORY_BY_TASK };
struct history_sum {
    char *name; /* the role (NULL: tasks of no role), or "role : task" */
    char *host;
    int64_t n, ok, changed, failed, sum_ns, max_ns;
    bool whole; /* all roles of all hosts */
    /* By role alone, else NULL. "failed": a task of it did in the last attempt of its phase, and was not
     * ignored; rescued ones count. Else "changed"; "skipped", all of it; "ok". */
    const char *status;
    int64_t started_ns, wall_ns; /* of its first task; until the end of its last one, summed over the runs */
};
struct history_sums {
    struct history_sum *rows;
    size_t count;
    size_t left_out; /* shorter ones, of which there is no row, and their sum */
    int64_t left_out_ns;
};
/* Over all tasks of the runs (ids), the longest sum first, at most so many of them (0: all). By role the last
 * one is the whole, "all", and all are told: of it wall_ns is from the first task of a run to the last one,
 * summed over the runs; there is none of no task. */
int history_sums(struct sql *db, const char *const *runs, enum history_by by, size_t most,
                 struct history_sums *out, struct error *err);
void history_sums_clear(struct history_sums *sums);
