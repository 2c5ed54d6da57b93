/* What is on record of phases' ways back (`confirm`). */
#pragma once
#include "event/machine.h"
#include "format/json.h"
#include "format/sql.h"

/* Those on the machine of which nobody knows what became of them: [{"run", "step", "id"}], the last one
 * first, at most 4; *out is NULL where there is none. The caller frees. */
int history_confirm_open(struct sql *db, const struct machine *machine, struct json **out, struct error *err);
/* The last note about the step's, as JSON text (malloc'ed); NULL: there is none. */
int history_confirm_last(struct sql *db, const char *run, int step, char **out, struct error *err);
