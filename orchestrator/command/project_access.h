/* How commands find the project that -C or the current folder is in, as it is configured for this call. */
#pragma once
#include "base/error.h"
#include "command/command.h"
#include "config/config.h"

/* Loads it. `name` NULL: no target is looked for; else `target` gets it, borrowed. On
 * failure both are untouched. */
int project_access_load(const struct command_context *context, const char *name, struct project **project,
                        const struct target **target, struct error *err);
/* The same for a command that cannot go on without: a failure is said, and so are warnings of a project that
 * loads. EXIT_OK, or the exit code. */
int project_access_open(const struct command_context *context, const char *name, struct project **project,
                        const struct target **target);
