/* The worker: one process per run with one loop, in a session of its own, with a guard beside it; it outlives the command that started it and the terminal.
 * Its stdout and stderr are runs/<run>/worker.log. */
#pragma once
#include "action/runner.h"
#include "mechanism/child.h"

/* Forks it. `lock_fd` is the target's lock, taken by the caller with its own pid; the worker writes itself into it and shares it with its guard; the caller
 * closes its own copy. The request and all it points to stay as they are in the child. TERM and INT cancel the run, again at once. The worker's exit code is the run's. */
int worker_start(const struct runner_request *request, int lock_fd, struct child *out, struct error *err);
