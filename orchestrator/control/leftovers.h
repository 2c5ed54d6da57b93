/* What is left on this machine of a machine that was destroyed and of the runs that made and removed it:
 * looked for anew, by the names and marks that everything carries, whatever the destroy said of itself.
 * Changes nothing, contacts no host. */
#pragma once
#include "base/error.h"
#include "base/words.h"

/* `machine`: its id, NULL: none was made. `runs`: ids, NULL-terminated. One word for each thing found. -1
 * where it could not be looked. */
int leftovers_look(const char *state, const char *provider, const char *machine, const char *const *runs,
                   struct words *left, struct error *err);
