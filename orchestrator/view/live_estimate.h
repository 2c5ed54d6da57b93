/* What the live line knows of earlier runs. */
#pragma once
#include "figures/estimate.h"
#include "format/json.h"

/* Of the step whose begin the journal's line tells: the store is read once, by whoever follows the run, and
 * never by the run itself. NULL: nothing is known, or it cannot be read. The caller frees. `state`: the
 * .triphase folder. */
struct estimate *live_estimate(const char *state, const char *run, const struct json *step_begin);
