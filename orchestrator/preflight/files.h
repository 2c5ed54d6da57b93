/* What a run will need of this machine's files and variables: secrets, keys.
 * Looked for, never read or run. */
#pragma once
#include "event/machine.h"
#include "preflight/ask_ansible.h"

/* Adds what is missing. `machine`: what was made already; may be NULL. */
void plan_files_look(struct plan_work *work, const struct machine *machine);
/* Warns of each secret of the target that is this name, which stands in the project for all to see. NULL: any
 * name of a target, host, group or recipe. */
void plan_files_name(struct plan_work *work, const char *where, const char *name);
