/* What the user's own inventories, group_vars and host_vars say of how a target's host is
 * reached: asked of Ansible itself, by its own precedence, before anything of triphase's is
 * rendered; remembered like a plan. */
#pragma once
#include "config/config.h"
#include "event/machine.h"

/* Completes the target and its peers: user, port, key and interpreter where no key of triphase says them, and
 * ssh's arguments; what contradicts a key is in the target's `refused`, what is not used in `noted`. Where
 * nothing can be asked (no Ansible, no inventory, an inventory that cannot be read: a plan finds that by
 * itself) they stay as they are; what did not answer in time stands in `unanswered`. `environment` NULL: this
 * process's. Asked once of a target. Blocking. */
void host_variables_fill(struct project *project, const char *target, const char *const *environment);
/* Whether what was rendered of the target (`expect` of inventory_render, of its host) could still be
 * overridden: they say something else of it, and where they say it decides (host_vars do); or nobody
 * could tell what they say. */
bool host_variables_leave_open(const struct target *target, const struct json *rendered);
