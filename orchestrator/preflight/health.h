/* What can be known of a target's `health` before anything is made: whether it can be asked at all, and by
 * what a certificate would be verified. Asks nobody. */
#pragma once
#include "config/project.h"
#include "preflight/findings.h"

void plan_health(struct plan_report *report, const struct target *target);
