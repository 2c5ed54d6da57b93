/* The guard: a small process beside the worker that waits for the worker's death and then ends
 * everything in the run's scope. It has a session of its own, the worker's pidfd, the scope's path (or
 * marker), the target's lock, and nothing else. It survives TERM and INT. When the scope is empty it
 * removes it and exits, which frees the lock. It is forked from the worker early, while that has one
 * thread, so that its memory is shared. */
#pragma once
#include "base/error.h"
#include "process/child.h"

/* `lock_fd` (may be -1) stays open in the guard. `folder` (may be NULL) is removed with the scope. The
 * guard is the caller's child. */
int guard_start(const struct scope *run_scope, const char *folder, int lock_fd, struct child *out,
                struct error *err);
/* Tells a guard that the run ended in order: it exits at once without ending anything (SIGUSR1),
 * and waits at most 2 s for that, then kills it. Reaps and closes it, whatever it did; 0 also for
 * one that had died before. */
int guard_dismiss(struct child *guard, struct error *err);
