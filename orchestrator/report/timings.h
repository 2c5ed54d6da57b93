/* provisioning-timings.txt: when each step of a run, and each role, began and ended, and the sums, as text
 * whose columns people and scripts can read. */
#pragma once
#include "base/words.h"
#include "figures/account.h"

/* `never`: phases of the recipe that have no step in this run. Each attempt is a line, and counts once.
 * `roles`: as history_sums tells them. */
void timings_add(const struct account *account, const struct words *never, const struct history_sum *roles,
                 size_t role_count, struct text *out);
