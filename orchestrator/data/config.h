/* What the user asked for: triphase.yml, phases/<recipe>.yml, the user's file, the environment and --set, resolved per field into plain structs.
 * The keys, types, defaults and layers are CONTRACT.md's "Configuration". */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "mechanism/yaml.h"
#include <stdbool.h>
#include <stdint.h>

enum secret_kind { SECRET_NONE, SECRET_FILE, SECRET_ENV, SECRET_FD, SECRET_COMMAND };
struct secret {
    char *name; /* the variable it becomes (target.secrets), the id of a vault password, else NULL */
    enum secret_kind kind;
    char *where; /* path, or name of the environment variable */
    int fd;
    struct words command;
};

enum host_key_kind { HOST_KEYS_DEFAULT, HOST_KEYS_LIST, HOST_KEYS_FILE, HOST_KEYS_ACCEPT_NEW };

struct requirement {       /* of a phase: `tun`, or a program */
    char *program;         /* NULL: tun */
    char *package_file;    /* where a Python package beside Ansible holds it, relative to site-packages; may be NULL */
    char *install;         /* the line that installs it; may be NULL */
};

struct target {
    char *name, *provider, *recipe;
    bool transport_auto;
    struct words transports; /* names in order; of `auto` what it stands for */
    char *address, *user, *key, *jump; /* NULL: not given */
    int port;                          /* 0: not given */
    struct words ssh_options;          /* "Name=value" */
    enum host_key_kind host_key_kind;
    struct words host_keys; /* HOST_KEYS_LIST */
    char *host_key_file;    /* HOST_KEYS_FILE */
    char *python;           /* NULL: auto */
    int64_t provision_ns, root_tree_ns, ready_ns, transport_ns, destroy_ns; /* stage_deadline */
    char *host_name;        /* inventory name */
    struct words groups, peers;
    struct node *vars;      /* map or NULL */
    struct secret *secrets;
    size_t secret_count;
    struct secret become_password, key_passphrase; /* kind SECRET_NONE: not given */
    struct secret *vault_passwords;
    size_t vault_password_count;
    struct words env; /* names */
    int64_t deadline_ns;
    bool protected;
    char *root; /* sandbox */
    char *tailscale_socket; /* from TAILSCALE_SOCKET, NULL: tailscale's default */
};

struct phase {
    char *name, *playbook; /* playbook as written, relative to the project's folder */
    int64_t deadline_ns, silence_ns, task_ns /* 0: none */, grace_ns, host_silent_ns;
    int attempts;
    struct words retry_on; /* outcome names */
    int64_t retry_pause_ns;
    struct words transports; /* empty: the target's */
    struct requirement *requires;
    size_t require_count;
    bool network_churn, facts_cached, lost_handlers_warn;
    struct words args;
    struct node *vars; /* map or NULL */
    int line;          /* in the recipe's file */
};

struct recipe {
    char *name, *path;
    struct phase *phases;
    size_t phase_count;
    struct phase *teardown;
    size_t teardown_count;
};

struct project {
    char *directory; /* absolute */
    char *name;
    struct words inventory; /* as written; what exists of the default is already resolved */
    char *ansible;          /* as configured; resolved to an absolute path when it was found, else as written */
    bool ansible_found;
    int64_t keep_ns;
    struct target *targets; /* in file order */
    size_t target_count;
    struct recipe *recipes; /* every recipe that a target names, each once */
    size_t recipe_count;
    struct words warnings;  /* of the user's file, of unmatched legacy names… one line each */
    struct origins *origins;
};

struct config_sources {
    const char *start;               /* -C or the current folder: the project is the nearest triphase.yml upwards */
    const char *const *environment;  /* NAME=VALUE list, NULL-terminated */
    const char *const *sets;         /* "PATH=YAML" list, NULL-terminated, may be NULL */
    const char *user_file;           /* NULL: $XDG_CONFIG_HOME/triphase/config.yml, the invoking user's behind sudo */
};

/* All faults of a file at once in one ERROR_PROJECT message, a line each "file:line:column: …" (files relative to the project's folder). ERROR_PROJECT too where no project is found. */
int config_load(const struct config_sources *sources, struct project **out, struct error *err);
void project_free(struct project *project);
void project_cleanup(struct project **project);
#define AUTO_PROJECT __attribute__((cleanup(project_cleanup))) struct project
/* Borrowed. NULL with an ERROR_USAGE that names the nearest. */
const struct target *project_target(const struct project *project, const char *name, struct error *err);
/* Borrowed; never NULL for a recipe of a loaded target. */
const struct recipe *project_recipe(const struct project *project, const char *name);
/* Every effective value: called once per key in contract order. `value` is YAML flow text (a secret's source, never its value), `origin` like "built-in",
 * "triphase.yml:7:5", "environment TRIPHASE_TARGETS_VAULT_ROOT", "--set"; `hidden` lists what it hides as "origin: value" lines, NULL-terminated. */
typedef void config_explain_function(void *context, const char *path, const char *value, const char *origin, const char *const *hidden);
/* `target` NULL: project keys and all targets. */
void config_explain(const struct project *project, const struct target *target, config_explain_function *function, void *context);
/* The secret's value, read now (file: at most 64 KiB, one trailing newline dropped; command: bounded 30 s). malloc'ed; free with free_secret. */
int secret_read(const struct secret *secret, const char *directory, char **out, size_t *length, struct error *err);
