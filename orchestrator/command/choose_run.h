/* [RUN|TARGET] of the commands about one run. */
#pragma once
#include "base/error.h"
#include "store/history.h"

/* A run by its id, whole or short, or the newest one of a target that was made here.
 * ERROR_USAGE where there is neither. */
int choose_run(struct sql *db, const char *word, struct history_run **out, struct error *err);
/* The run to be shown: by its id or as the newest of a target; without a word the newest, of
 * `target` where that is given. What a merge brought is shown where nothing was made here.
 * ERROR_USAGE where there is none. */
int choose_run_shown(struct sql *db, const char *word, const char *target, struct history_run **out,
                     struct error *err);
/* The `last` newest runs, of the target `word` or `target` where one is given.
 * ERROR_USAGE where there is none. */
int choose_run_last(struct sql *db, const char *word, const char *target, int last, struct history_run ***out,
                    struct error *err);
/* The one run that goes on. *out NULL: none does. Several: ERROR_USAGE that names them. `dead`: runs whose
 * worker died on this machine count too. */
int choose_run_active(struct sql *db, bool dead, struct history_run **out, struct error *err);
