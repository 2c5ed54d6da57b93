/* What was made of a target and of its peers, beside what is said of them now: part of a plan. */
#pragma once
#include "config/project.h"
#include "preflight/findings.h"

/* Adds a finding for what stops, and a warning for each other difference. `state`: the .triphase folder;
 * `create`: what counts at making stops too; `peers_seen_to`: as in struct plan_options. */
void plan_made(const struct project *project, const struct target *target, const char *state, bool create,
               bool peers_seen_to, struct plan_report *report);
