/* The part of a plan that only Ansible can tell: syntax, roles, collections, which hosts match, which
 * variables override how the host is reached. */
#pragma once
#include "preflight/work.h"

/* Asks, unless an unchanged plan that passed is remembered; remembers one that passes. Adds findings.
 * `dynamic`: playbooks whose plays may match hosts that no inventory knows. */
void plan_ask_ansible(struct plan_work *work, const struct words *dynamic);
