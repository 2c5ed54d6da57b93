/* What an ansible-playbook child is made from, and what it is made of: both are filled in by several files,
 * one thing each (ansible/child.h brings them together). */
#pragma once
#include "ansible/arguments.h"
#include "ansible/found.h"
#include "base/error.h"
#include "base/words.h"
#include "config/ansible_settings.h"
#include "config/config.h"
#include "event/machine.h"
#include "format/json.h"
#include "transport/ssh_options.h"
#include <sys/types.h>

struct ansible_request {
    const struct project *project;
    const struct target *target;
    const struct phase *phase;
    const struct machine *machine;
    enum transport_kind transport;
    const char *run; /* id */
    int seq, attempt;
    const char *run_directory;      /* .triphase/runs/<run>: the file of extra variables goes there */
    const char *inventory;          /* path of the rendered inventory */
    const struct json *expect;      /* from inventory_render; written beside it; may be NULL */
    const char *events;             /* path of the event file */
    const char *callback_directory; /* holds triphase_events.py */
    const char *fact_cache;         /* directory, for `facts: cached` */
    const char *control_directory;  /* for hosts that are not triphase's own; may be NULL */
    const char *target_state, *machine_state; /* triphase_state_dir, triphase_machine_dir */
    const char *pending_handlers;             /* JSON list of {host, handler}; NULL: none */
    const char *auth_key; /* of a phase that brings the host into its tailnet; NULL: it was given none */
    const struct ansible_arguments *arguments; /* behind `--`; may be NULL */
    bool mitogen;                              /* carries out the tasks (ansible/accelerate.h) */
    bool no_pipelining; /* the host's sudo wants a terminal: not even where the user set nothing */
    const char *const *environment; /* the user's; NULL: this process's */
};

struct ansible_child {
    struct words argv, environment;
    /* Among `keep`, -1 behind them: the values of all that is secret (redact/sealed.h), and those that the
     * callback decrypts, which come while it runs. */
    int known[3];
    int *keep; /* descriptors for child_plan.keep, -1-terminated; ansible_child_clear closes them */
    /* files it wrote in run_directory, none with a secret; the caller may remove
     * them after the child's end */
    struct words files;
};

/* The descriptor is the child's from now on. */
void ansible_child_keep(struct ansible_child *child, int fd);
/* Writes one of its files, named after the step; its path, which is the child's. NULL with an error. */
const char *ansible_child_write(const struct ansible_request *request, const char *suffix, const char *bytes,
                                mode_t mode, struct ansible_child *child, struct error *err);
void ansible_child_clear(struct ansible_child *child);
