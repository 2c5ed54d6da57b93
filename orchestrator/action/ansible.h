/* One ansible-playbook child: argv, environment, files and descriptors (CONTRACT.md, "Ansible settings"). Nothing is started here. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "data/config.h"
#include "data/machine.h"
#include "data/ssh_arguments.h"
#include "mechanism/json.h"

/* What stood behind `--`, checked. */
struct ansible_arguments {
    struct words words;  /* as given */
    bool partial;        /* --tags --skip-tags --limit --check --start-at-task: the run is out of statistics */
    char *extra_digest;  /* SHA-256 of all -e, hex; NULL: none */
    struct words extra;  /* the -e values, in order (for prompts that they answer) */
};
/* ERROR_USAGE for what is refused (inventories, prompts, connection options, listings, playbooks) and for options that ansible-playbook does not know. */
int ansible_check_arguments(const char *const *words, struct ansible_arguments *out, struct error *err);
void ansible_arguments_free(struct ansible_arguments *arguments);

/* The user's own Ansible settings that triphase joins, from the environment and the ansible.cfg that counts (ANSIBLE_CONFIG, the project's, ~/.ansible.cfg,
 * /etc/ansible/ansible.cfg). */
struct ansible_settings {
    char *config;                             /* NULL: none */
    bool config_is_projects;                  /* found as the project's: named explicitly to Ansible */
    char *callback_plugins, *callbacks_enabled; /* NULL: not set; plugin paths absolute */
    char *ssh_args, *ssh_common_args;         /* NULL: not set */
    bool pipelining_set, timeout_set;
};
int ansible_settings_read(const struct project *project, const char *const *environment, struct ansible_settings *out, struct error *err);
void ansible_settings_free(struct ansible_settings *settings);
/* ssh_args (Ansible's default where unset) and ssh_common_args, for inventory_request.user_ssh_arguments. malloc'ed. */
char *ansible_user_ssh_arguments(const struct ansible_settings *settings);

struct ansible_request {
    const struct project *project;
    const struct target *target;
    const struct phase *phase;
    const struct machine *machine;
    enum transport_kind transport;
    const char *run, *root_run; /* ids; the first run of a chain of resumes names the async directory */
    int seq, attempt;
    const char *run_directory;     /* .triphase/runs/<run>: the file of extra variables goes there */
    const char *inventory;         /* path of the rendered inventory */
    const struct json *expect;     /* from inventory_render; written beside it; may be NULL */
    const char *events;            /* path of the event file */
    const char *callback_directory; /* holds triphase_events.py */
    const char *fact_cache;        /* directory, for `facts: cached` */
    const char *control_directory; /* for hosts that are not triphase's own; may be NULL */
    const char *target_state, *machine_state; /* triphase_state_dir, triphase_machine_dir */
    const char *pending_handlers;  /* JSON list of {host, handler}; NULL: none */
    const struct ansible_arguments *arguments; /* behind `--`; may be NULL */
    const char *const *environment; /* the user's; NULL: this process's */
};

struct ansible_child {
    struct words argv, environment;
    int *keep;          /* descriptors for child_plan.keep, -1-terminated; ansible_child_free closes them */
    struct words files; /* files it wrote in run_directory; the caller may remove them after the child's end */
};

/* ERROR_PROJECT when a secret cannot be read. */
int ansible_prepare(const struct ansible_request *request, struct ansible_child *out, struct error *err);
void ansible_child_free(struct ansible_child *child);

/* Version of an ansible-playbook, e.g. "2.19.14": read from the release file beside its Python, else asked (0.5 s). malloc'ed; NULL with an error. */
char *ansible_version(const char *ansible, struct error *err);
/* site-packages folders of the Python that runs this ansible-playbook. */
void ansible_site_packages(const char *ansible, struct words *out);
/* Path of a program that a phase requires: in the folder of the configured Ansible, <site-packages>/<package_file>, PATH. malloc'ed or NULL. */
char *ansible_find_required(const struct project *project, const struct requirement *requirement);
/* The filtered environment that phase children and plan's own Ansible processes see, without anything of a run. */
void ansible_environment(const struct project *project, const struct target *target, const struct ansible_settings *settings,
                         const char *const *environment, struct words *out);
