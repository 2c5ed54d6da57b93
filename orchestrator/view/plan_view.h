/* What a plan found, for people. */
#pragma once
#include "preflight/plan.h"

/* One target: its phases, what refuses, what is warned of. -1 when stdout could not be written. */
int plan_view_print(const struct project *project, const struct target *target,
                    const struct plan_report *report);
