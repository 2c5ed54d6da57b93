/* The end of a run: what belongs to it goes, then its row is closed. */
#pragma once
#include "run/runner_state.h"

/* `stage`: in which it ended, NULL: in none; `message`: why so, may be NULL. */
enum runner_state runner_close(struct runner *runner, enum outcome outcome, const char *stage,
                               const char *message);
/* The same as the failure says. */
enum runner_state runner_close_failed(struct runner *runner, const char *stage, const struct error *failure);
/* The store refused `what`, because of `why` (may be NULL). */
enum runner_state runner_break(struct runner *runner, const char *what, const char *why);
/* Actions: its row is closed, or cannot be. */
runner_action runner_closed, runner_not_closed;
