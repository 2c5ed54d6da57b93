/* What commands that act do first: the target's lock, and under it order in what dead runs left. */
#pragma once
#include "base/error.h"

/* Before anything of a project is acted upon: it has an id, follows where its folder was moved, and where it is a copy whose store believes in the
 * original's machines, is refused (ERROR_PROJECT). Its state folder must be there. */
int settle_project(const char *project_directory, struct error *err);
/* Takes the target's lock in the name of `run`; while the guard of a dead worker has it, that is waited for, at most 10 s. -1 with ERROR_BUSY naming who has it. */
int settle_lock(const char *state, const char *target, const char *run, int *out, struct error *err);
/* Under the lock: ends what dead runs of the target left, closes their rows, and says so. */
int settle_locked(const char *state, const char *target, struct error *err);
/* Both, and lets the lock go. */
int settle(const char *state, const char *target, struct error *err);
