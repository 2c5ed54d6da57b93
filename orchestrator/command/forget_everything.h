/* What `forget` does beyond one target. */
#pragma once
#include "base/error.h"
#include "command/command.h"
#include <stdbool.h>

/* Drops all that is known of the project, its whole state folder, and cached root trees that nobody uses.
 * Refused while a machine of it is there, and where a sandbox cannot be judged that could be its. In a copy
 * of a project, what is the original's stays. */
int forget_project(const struct command_context *context, bool yes, struct error *err);
/* Takes what triphase laid on this machine beyond projects (sandboxes that are dead, root trees, their
 * folders). Refused, naming project and owner, while a sandbox is alive or cannot be judged. */
int forget_machine(bool yes, struct error *err);
/* Asks, or needs `yes` without a terminal. */
int forget_agreed(bool yes, struct error *err, const char *question, ...)
    __attribute__((format(printf, 3, 4)));
/* 0 or 1: a copy, and where the original is (malloc'ed); as identity_claim otherwise. */
int forget_claim(const char *project_directory, char **original, struct error *err);
/* 1 where the target's machine is still to be found: it would be lost with its row. 0 too, and said, where
 * nobody can be asked: neither files nor its row lead to it, or its programs list nothing. */
int forget_still_there(const struct command_context *context, const char *store, const char *name,
                       struct error *err);
