/* The user's own Ansible settings, as far as triphase joins them: everything else Ansible reads by itself. */
#pragma once
#include "base/error.h"
#include "data/config.h"
#include <stdbool.h>

/* The user's own Ansible settings that triphase joins, from the environment and the ansible.cfg that
 * counts (ANSIBLE_CONFIG, the project's, ~/.ansible.cfg, /etc/ansible/ansible.cfg). */
struct ansible_settings {
    char *config;            /* NULL: none */
    bool config_is_projects; /* found as the project's: named explicitly to Ansible */
    char *
        callback_plugins; /* where Ansible would look, triphase's folder not among it: colon-separated, never NULL */
    char *ssh_args, *ssh_common_args; /* NULL: not set */
    bool pipelining_set, timeout_set;
};
int ansible_settings_read(const struct project *project, const char *const *environment,
                          struct ansible_settings *out, struct error *err);
void ansible_settings_free(struct ansible_settings *settings);
/* ssh_args (Ansible's default where unset) and ssh_common_args, for inventory_request.user_ssh_arguments.
 * malloc'ed. */
char *ansible_user_ssh_arguments(const struct ansible_settings *settings);
