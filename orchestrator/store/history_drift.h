/* What a run of kind drift found: tasks that would change something on a host, and tasks that nobody can know
 * this of, since their modules do not check. Read-only; the caller frees. */
#pragma once
#include "base/error.h"
#include "format/sql.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct history_drift {
    char *phase, *host, *role /* NULL: in none */, *task, *path, *action;
    bool unchecked;   /* else it would change something */
    int64_t since_ns; /* when the first drift in a row began that found the same; of unchecked ones 0 */
};

/* In the order in which they ran, each once; of a phase's attempts the last one counts. */
int history_drift(struct sql *db, const char *run, struct history_drift **out, size_t *count,
                  struct error *err);
void history_drift_free(struct history_drift *drift, size_t count);
/* The newest run of kind drift of the target that was made here after the run with that number; *out is its
 * id (malloc'ed), NULL: there is none. */
int history_drift_run(struct sql *db, const char *target, int64_t after, char **out, struct error *err);
/* The number of the run that was put in last; 0: none was. */
int history_drift_newest(struct sql *db, int64_t *out, struct error *err);
