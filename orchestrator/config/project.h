/* What the user asked for, resolved into plain structs: the project, its targets, and the recipes they
 * name. Made by config_load (config/config.h). */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "config/accelerate.h"
#include "config/cloud_settings.h"
#include "config/health_settings.h"
#include "config/ready_step.h"
#include "config/secret.h"
#include "config/tailnet_login.h"
#include "config/watchdog_facts.h"
#include "format/json.h"
#include "format/node.h"
#include <stdbool.h>
#include <stdint.h>

enum host_key_kind { HOST_KEYS_DEFAULT, HOST_KEYS_LIST, HOST_KEYS_FILE, HOST_KEYS_ACCEPT_NEW };

struct requirement { /* of a phase: `tun`, or a program */
    char *program;   /* NULL: tun */
    /* where a Python package beside Ansible holds it, relative to site-packages; may be NULL */
    char *package_file;
    char *install; /* the line that installs it; may be NULL */
};

struct target {
    char *name, *provider, *recipe;
    bool transport_auto;
    struct words transports;      /* names in order; of `auto` what it stands for */
    struct words auto_transports; /* what `auto` stands for, given or not */
    /* of both, what a phase that requires a TUN may take */
    struct words tun_transports, auto_tun_transports;
    char *address, *user, *key, *jump; /* NULL: not given */
    int port;                          /* 0: not given */
    struct words ssh_options;          /* "Name=value" */
    /* what Ansible's own settings and variables add for ssh; NULL: nothing */
    char *ssh_args, *ssh_common_args, *ssh_extra_args;
    /* What the user's inventories say of the host, filled in by ansible/host_variables.h;
     * until then as it stands here. */
    struct json *host_variables; /* connection variables by name, texts; NULL: nobody could tell */
    /* why Ansible did not answer, which it would not a second time; NULL: it did, or was not asked */
    char *unanswered;
    int64_t asked_ns;                                         /* how long that took */
    bool python_is_ansibles;                                  /* they name the interpreter */
    bool user_is_ansibles, port_is_ansibles, key_is_ansibles; /* filled in from them */
    struct words refused, noted; /* lines for a plan: what contradicts a key, and what is not used */
    enum host_key_kind host_key_kind;
    struct words host_keys; /* HOST_KEYS_LIST */
    char *host_key_file;    /* HOST_KEYS_FILE */
    char *python;           /* NULL: auto */
    int64_t provision_ns, root_tree_ns, ready_ns, tailnet_ns, transport_ns, destroy_ns,
        sweep_ns;    /* stage_deadline */
    char *host_name; /* inventory name */
    struct words groups, peers;
    struct node *vars; /* map or NULL */
    struct secret *secrets;
    size_t secret_count;
    struct secret become_password, key_passphrase; /* kind SECRET_NONE: not given */
    struct secret *vault_passwords;
    size_t vault_password_count;
    struct words env; /* names */
    enum accelerate accelerate;
    int64_t deadline_ns;
    bool protected;
    char *root; /* sandbox */
    struct words make, verify, remove,
        list; /* command: each a program and its arguments; `list` may be empty */
    struct cloud_settings cloud;
    int64_t ttl_ns; /* from when it is made; 0: it stays */
    struct ready_step *ready;
    size_t ready_count;
    struct health_settings health;
    /* Of the tailscaled here that carries the connections: TAILSCALE_SOCKET, else operator.socket, else
     * triphase's own daemon where one runs; NULL: tailscale's default. */
    char *tailscale_socket;
    /* What that tailscaled is to be joined to: for a target that joins its own control server ("" is
     * Tailscale's), else operator.login_server, else the tailnet's; NULL: nobody said. */
    char *control_server;
    bool joins_tailnet; /* it is to be a device of a tailnet: the fields below */
    struct tailnet_login tailnet;
    bool stale_remove, tailscale_ssh_accept; /* else refused */
};

struct phase {
    char *name, *playbook; /* playbook as written, relative to the project's folder */
    struct phase_limits limits;
    int attempts;
    struct words retry_on; /* outcome names */
    int64_t retry_pause_ns;
    int64_t confirm_ns;      /* without a proven way in, then the host puts itself back; 0: never */
    struct words transports; /* empty: the target's, or with `transport_auto` what that is for the target */
    bool transport_auto;
    bool needs_tun; /* `require: [tun]`: tailnet-userspace is not taken */
    struct requirement *requires;
    size_t require_count;
    /* it may act on hosts beyond the target and its peers */
    bool network_churn, reboots, facts_cached, lost_handlers_warn, beyond_allowed;
    bool accelerate_own; /* else it is the target's */
    enum accelerate accelerate;
    bool only_looks; /* it is of `verify`: what changes something there has failed */
    struct words args;
    struct node *vars; /* map or NULL */
    int line;          /* in the recipe's file */
};

struct recipe {
    char *name, *path;
    struct phase *phases; /* those of `verify` behind the others */
    size_t phase_count;
    struct phase *teardown;
    size_t teardown_count;
    struct phase *bootstrap; /* one, over `direct`, before the target joins its tailnet; NULL: none */
};

struct project {
    char *directory; /* absolute */
    char *name;
    struct words inventory; /* as written; what exists of the default is already resolved */
    char *ansible; /* as configured; resolved to an absolute path when it was found, else as written */
    bool ansible_found;
    char *programs; /* where programs are looked for, like PATH (config/programs.h) */
    int64_t keep_ns;
    struct operator_settings operator_settings; /* `operator`: how this machine joins its tailnet */
    struct target *targets;                     /* in file order */
    size_t target_count;
    /* Targets as they would be at another provider, of whose keys the files still say some: what was made
     * there before the provider was switched is still there. They may lack what that provider requires. */
    struct target *elsewhere;
    size_t elsewhere_count;
    struct recipe *recipes; /* every recipe that a target names, each once */
    size_t recipe_count;
    struct words warnings;   /* of the user's file, of unmatched legacy names… one line each */
    struct settings *layers; /* every value with its origin, for config_explain (config/settings.h) */
};

void target_free(struct target *target);
void project_free(struct project *project);
void project_cleanup(struct project **project);
#define AUTO_PROJECT __attribute__((cleanup(project_cleanup))) struct project
/* Borrowed. NULL with an ERROR_USAGE that names the nearest. */
const struct target *project_target(const struct project *project, const char *name, struct error *err);
/* The transports of a phase of a target, in order; of NULL the target's own. Empty where the phase requires
 * a TUN and none of them has one. Borrowed. */
const struct words *project_transports(const struct target *target, const struct phase *phase);
/* How the phase is to be made faster, as it or its target says. */
enum accelerate project_accelerate(const struct target *target, const struct phase *phase);
/* Calls it with the name of each variable that a secret of the operator or of any target is read from: none
 * of them is handed on to a child (child_keep_back). */
void project_secret_variables(const struct project *project, void (*use)(const char *name));
/* Whether a secret of the operator or of one of its targets is read from this descriptor. NULL: none is. */
bool project_reads(const struct project *project, int fd);
/* Whether this is what a target, its host, a group or a recipe is called. */
bool project_has_name(const struct project *project, const char *text);
/* Borrowed; never NULL for a recipe of a loaded target. */
const struct recipe *project_recipe(const struct project *project, const char *name);
