/* The part of a plan that compares Ansible's own settings (ansible.cfg, ANSIBLE_*) with the target's keys and
 * with what triphase forces upon a run. */
#pragma once
#include "config/ansible_settings.h"
#include "config/config.h"
#include "preflight/findings.h"

/* Refuses a setting beside a key that says something else, and what no run could keep; warns of what a run
 * does otherwise than the setting says. */
void plan_settings(struct plan_report *report, const struct project *project, const struct target *target,
                   const struct ansible_settings *settings);
