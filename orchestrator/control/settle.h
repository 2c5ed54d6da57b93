/* What whoever acts does first: the project's identity, the target's lock, and under it
 * order in what dead runs left. */
#pragma once
#include "base/error.h"
#include "base/words.h"

/* Before anything of a project is acted upon: it has an id, follows where its folder was moved (`said` gets a
 * line of it), and where it is a copy whose store believes in the original's machines, is refused
 * (ERROR_PROJECT). Its state folder must be there. */
int settle_project(const char *project_directory, struct words *said, struct error *err);
/* Takes the target's lock in the name of `run`; while the guard of a dead worker has it, that is waited for,
 * at most 10 s. -1 with ERROR_BUSY naming who has it. */
int settle_lock(const char *state, const char *target, const char *run, int *out, struct error *err);
/* Both, and reconcile_target under the lock, which is let go then. What `said` has by then is
 * true also where it fails. */
int settle(const char *state, const char *target, int exit_code, struct words *said, struct error *err);
