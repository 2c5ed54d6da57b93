/* The part of a plan that keeps plays to the hosts that the file names: which others they would reach, told
 * from what Ansible lists and from the tasks that delegate. */
#pragma once
#include "preflight/work.h"

/* Refuses each play of the phase, in a listing of its playbook's hosts, that would reach a host beyond the
 * target and its peers, where its pattern has no template: what that gives may differ when the play begins,
 * and is looked at then. `listing`: of ansible-playbook --list-hosts, of one playbook or several. */
void plan_beyond_refuse(struct plan_work *work, const struct phase *phase, const char *listing);
/* Keeps what is said there about hosts: patterns that are certain, and tasks that are delegated, where that
 * is of interest since a phase of the playbook may not act beyond. */
void plan_beyond_keep(struct plan_work *work, const char *playbook, const struct scan_item *item);
/* Warns of those whose hosts are ones of the inventory, by what ansible-inventory --list printed. */
void plan_beyond_warn(struct plan_work *work, const char *listed);
