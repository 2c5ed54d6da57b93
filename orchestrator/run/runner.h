/* One run of one target: its items (stages and phases) one after the other, attempts, the transport between
 * them, and its rows. Lives in the worker's loop. */
#pragma once
#include "base/error.h"
#include "process/loop.h"
#include "run/request.h"
#include <sys/types.h>

struct runner;
/* Opens sink and run folder and begins. When it is over the loop is stopped. */
int runner_start(struct loop *loop, const struct runner_request *request, struct runner **out,
                 struct error *err);
void runner_cancel(struct runner *runner); /* again: at once */
/* The process of the step that runs, -1 when none does. */
pid_t runner_child(const struct runner *runner);
/* After the loop stopped: writes what is left, gives the exit code and, malloc'ed, why it ended so (NULL
 * where there is nothing to say). Frees it. */
int runner_finish(struct runner *runner, char **message);
