/* What comes next in a run, and its begin: an item's step or what that needs first, a part
 * of a recovery, or the end. */
#pragma once
#include "run/runner_state.h"

/* Actions. Whatever is due comes next. */
runner_action runner_go_on;
/* The phase that is next begins; its secrets are at hand. */
runner_action runner_begin_phase;
/* Its secrets cannot be had; or are not waited for any more. */
runner_action runner_not_fetched, runner_stop_fetching;
/* The host is looked at, and the run ends as its `ending` says. */
runner_action runner_look_last;
/* The part of a recovery that the run's state is for is over, well or not: what it found goes into rows.
 * `result` of its stage, `why` it found nothing: may be NULL. */
enum runner_state runner_part_over(struct runner *runner, bool well, const struct json *result,
                                   const char *why);
/* Why nobody looks at the host any more once a run was cancelled twice; NULL where it was not. */
const char *runner_cut_short(const struct runner *runner);
/* The interpreter of the first phase behind `skipped` items is started ahead. */
void runner_look_ahead(struct runner *runner, size_t skipped);
/* Of the whole run, in ns. */
int64_t runner_time_left(const struct runner *runner);
