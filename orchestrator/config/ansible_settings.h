/* What Ansible's own settings say, as far as triphase has to know it: the environment, and the
 * ansible.cfg that counts (ANSIBLE_CONFIG, the project's, ~/.ansible.cfg, /etc/ansible/ansible.cfg).
 * Everything else Ansible reads by itself. Source: lib/ansible/config/base.yml and the connection
 * plugin ssh, 2.14 to 2.21. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include <stdbool.h>

enum ansible_name {
    SETTING_REMOTE_USER,
    SETTING_REMOTE_PORT,
    SETTING_PRIVATE_KEY_FILE, /* absolute */
    SETTING_INTERPRETER,
    SETTING_SSH_ARGS,
    SETTING_SSH_COMMON_ARGS,
    SETTING_SSH_EXTRA_ARGS,
    SETTING_SSH_EXECUTABLE,
    SETTING_TRANSPORT,
    SETTING_INVENTORY, /* absolute paths, separated by commas */
    SETTING_PIPELINING,
    SETTING_TIMEOUT,
    SETTING_ASYNC_DIR,
    SETTING_STRATEGY,
    SETTING_HOST_KEY_CHECKING,
    SETTING_RETRIES,
    SETTING_CONTROL_PATH,
    SETTING_CONTROL_PATH_DIR,
    SETTING_ASK_PASS,
    SETTING_BECOME_ASK_PASS,
    SETTING_ASK_VAULT_PASS,
    SETTING_VAULT_PASSWORD_FILE, /* absolute */
    SETTING_FACT_CACHING,
    SETTING_GATHERING,
    SETTING_COUNT
};

struct ansible_setting {
    char *value;  /* NULL: not set */
    char *origin; /* "ansible.cfg:3", "environment ANSIBLE_REMOTE_USER" */
};

struct ansible_settings {
    char *config;            /* NULL: none */
    bool config_is_projects; /* found as the project's: named explicitly to Ansible */
    /* where Ansible would look, triphase's folder not among it: colon-separated, never NULL */
    char *callback_plugins;
    struct ansible_setting of[SETTING_COUNT];
};

/* `directory`: the project's; `environment` NULL: this process's. */
int ansible_settings_read(const char *directory, const char *const *environment, struct ansible_settings *out,
                          struct error *err);
void ansible_settings_clear(struct ansible_settings *settings);
#define AUTO_ANSIBLE_SETTINGS __attribute__((cleanup(ansible_settings_clear))) struct ansible_settings
/* What Ansible takes for a yes; not set is none. */
bool ansible_setting_is_yes(const struct ansible_setting *setting);
/* Such a strategy keeps async jobs in ~/.ansible_async whatever it is told. NULL: none. */
bool ansible_strategy_is_mitogen(const char *strategy);
/* What ansible.cfg calls it: "remote_user". */
const char *ansible_setting_name(enum ansible_name name);
/* The interpreter that the settings name; NULL where they leave it to be found ("auto",
 * "auto_silent" …). Borrowed. */
const char *ansible_settings_interpreter(const struct ansible_settings *settings);
