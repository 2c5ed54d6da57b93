/* What can be known of a target's tailnet before anything is made: what it would be joined with, and who here
 * could say that it is there, and gone. Asks this machine's tailscaled at most, 2 s. */
#pragma once
#include "config/project.h"
#include "event/machine.h"
#include "preflight/findings.h"

/* `machine` NULL: not made. */
void plan_tailnet(struct plan_report *report, const struct target *target, const struct machine *machine,
                  const struct recipe *recipe);
