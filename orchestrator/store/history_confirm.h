/* What is on record of phases' ways back (`confirm`). */
#pragma once
#include "event/machine.h"
#include "format/json.h"
#include "format/sql.h"

/* Those on the machine of which nobody knows what became of them: [{"run", "step", "id"}], the last one
 * first, at most 4; *out is NULL where there is none. The caller frees. */
int history_confirm_open(struct sql *db, const struct machine *machine, struct json **out, struct error *err);
/* What became of those of a run's phases: the detail of the last note of each, with "step" (docs/contract.md,
 * "Commit-confirm"), in order; NULL: none had one. The caller frees. */
int history_confirm(struct sql *db, const char *run, struct json **out, struct error *err);
