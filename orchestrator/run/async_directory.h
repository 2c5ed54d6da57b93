/* Where Ansible keeps the records of async jobs: a folder of the run's own, so that its jobs can be told from
 * others', unless the user says where, or a strategy is used that knows no other folder than its own. */
#pragma once
#include "config/ansible_settings.h"
#include "config/config.h"

/* Whether a process of this machine is an async job or comes from one. What Ansible starts for a job has
 * ANSIBLE_ASYNC_DIR in its environment, and no other process of a phase has: the directory reaches
 * Ansible as a variable. A job of mitogen's is a fork of its interpreter that leads a session
 * (host/sweep.sh knows the same). */
bool async_directory_is_of_job(pid_t pid);
/* Whether plays of the recipe use such a strategy, or a phase asks for it by `accelerate`. Reads all of its
 * playbooks: not for a loop. */
bool async_directory_is_fixed(const struct project *project, const struct target *target);
/* For inventory_request.async_directory: malloc'ed, NULL where the user's variables, ansible.cfg or a
 * mitogen strategy decide. */
char *async_directory(const struct target *target, const struct ansible_settings *settings, bool fixed,
                      const char *root_run);
/* Removes the run's own folder where it is empty: here, and (over the master of `control_path`, at most 5 s)
 * on the host. Best effort. */
void async_directory_tidy(const char *root_run, const char *control_path);
