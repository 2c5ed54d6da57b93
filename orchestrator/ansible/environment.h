/* What of a user's environment Ansible sees, and what triphase puts into it
 * (docs/contract.md, "What phases find"). */
#pragma once
#include "base/words.h"
#include "config/ansible_settings.h"
#include "config/project.h"
#include <stdint.h>

/* The filtered environment that phase children and plan's own Ansible processes see, without anything of a
 * run. */
void ansible_environment(const struct target *target, const struct ansible_settings *settings,
                         const char *const *environment, struct words *out);
/* Hosts that are none of triphase's (delegation to one of the user's own inventory) have no rendered ssh
 * arguments: these reach them too. */
void ansible_environment_add_ssh(const struct ansible_settings *settings, int64_t host_silent_ns,
                                 const char *control_directory, struct words *out);
