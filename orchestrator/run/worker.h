/* The worker: one process per run with one loop, in a session of its own, with a guard beside it; it outlives
 * the command that started it and the terminal. Its stdout and stderr are runs/<run>/worker.log. */
#pragma once
#include "process/child.h"
#include "run/runner.h"

/* Forks it. `lock_fd` is the target's lock, taken by the caller with its own pid; the worker writes itself
 * into it and shares it with its guard; the caller closes its own copy. The request and all it points to stay
 * as they are in the child. TERM and INT cancel the run, again at once. The worker's exit code is the run's.
 * `last_words` is memory that both share, since a full disk may be the very reason of the end;
 * worker_last_words frees it. */
int worker_start(const struct runner_request *request, int lock_fd, struct child *out, char **last_words,
                 struct error *err);
/* What the worker said of its end; malloc'ed, NULL for nothing. Frees and forgets the
 * memory, which may be NULL. */
char *worker_last_words(char **last_words);
