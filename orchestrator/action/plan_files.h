/* What a run will need of this machine's files and variables: secrets, keys. Looked for, never read or run. */
#pragma once
#include "action/plan_questions.h"
#include "data/machine.h"

/* Adds what is missing. `machine`: what was made already; may be NULL. */
void plan_files_look(struct plan_work *work, const struct machine *machine);
