/* What the end of a step means for its run: what it leaves to later steps, what is noted, and whether the
 * item is done, is tried again or ends the run. */
#pragma once
#include "run/runner_state.h"

/* Actions. Of an item's step; of a part of a recovery; of one that the store has not. */
runner_action runner_take_step, runner_take_part, runner_lose_step;
/* The phase that ended well is in the run's plan, as far as it can be. */
runner_action runner_item_recorded;
