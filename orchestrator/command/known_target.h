/* Names of targets on the command line: those that the files name, and those that were ever made or run,
 * whatever the files say now. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "command/command.h"

/* All of them, sorted. Files that are wrong add none, and are warned of where `warn`. */
int known_targets(const struct command_context *context, const char *store, bool warn, struct words *out,
                  struct error *err);
/* ERROR_USAGE with what may have been meant where it is none of them. */
int known_target(const struct words *known, const char *name, struct error *err);
