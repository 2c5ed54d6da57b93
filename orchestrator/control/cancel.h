/* Ending a run from another process: its worker is asked (or made) to end it, and what is left is
 * looked at until nothing is. */
#pragma once
#include "base/error.h"
#include "process/child.h"
#include "store/history.h"

/* Tells the worker to end the run: in order, `now` at once. A worker that is stopped goes on. */
int cancel_tell(const struct child *worker, bool now);
/* Waits until the worker is gone, its guard has given the lock back and no process of the run is left. 0, or
 * -1 with ERROR_BUSY after `bound_ns`, saying what is still there. `force`: a worker that is not gone by then
 * is killed; its guard ends the rest. */
int cancel_wait(const char *state, const struct history_run *run, const struct child *worker,
                int64_t bound_ns, bool force, struct error *err);
