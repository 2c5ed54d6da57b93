/* The end of a run: what belongs to it goes, then its row is closed. */
#pragma once
#include "run/runner_state.h"

/* How the run ends where it goes no further. What the runner knows of the standing itself is filled in. */
struct verdict runner_judge(const struct runner *runner, struct run_standing standing);
/* `stage`: in which it ended, NULL: in none. Takes the verdict over. */
enum runner_state runner_close(struct runner *runner, struct verdict verdict, const char *stage);
/* What comes next cannot begin. */
enum runner_state runner_close_failed(struct runner *runner, const char *stage, const struct error *failure);
/* The store refused `what`, because of `why` (may be NULL). */
enum runner_state runner_break(struct runner *runner, const char *what, const char *why);
/* Actions: its row is closed, or cannot be. */
runner_action runner_closed, runner_not_closed;
