/* What playbooks say (playbook/looks.h), as findings of a plan. */
#pragma once
#include "playbook/looks.h"
#include "preflight/ask_ansible.h"

/* Adds the findings of one item of that playbook, each once; none for the kinds that the plan itself weighs
 * against more than the item (prompts, host patterns, restarts). */
void plan_said(struct plan_work *work, const char *playbook, const struct scan_item *item);
/* Variables of this machine that inventories and the variables of target and phases read. */
void plan_said_by_inventories(struct plan_work *work);
