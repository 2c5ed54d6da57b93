/* The worker of a run that goes on, found from another process: looked at from all sides, so that nobody
 * else's process is ever taken for it. */
#pragma once
#include "base/error.h"
#include "process/child.h"
#include "store/history.h"

/* 1: `out` is a handle of the worker (no child of the caller's: child_signal and its pidfd work, child_poll
 * does not; child_close closes it). 0: there is none on this machine in this boot. -1: a process with its pid
 * and start time lives, but the target's lock is not in its hands; ERROR_BUSY. */
int running_find(const char *state, const struct history_run *run, struct child *out, struct error *err);
