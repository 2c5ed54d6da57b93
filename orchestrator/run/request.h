/* What one run is asked to do, as the command found it out. Everything is borrowed and stays as
 * it is for the whole run. */
#pragma once
#include "config/config.h"
#include "event/machine.h"
#include "event/outcome.h"
#include "format/json.h"

struct runner_request {
    const struct project *project; /* NULL only for a destroy whose project files cannot be read */
    const struct target *target;   /* likewise */
    const char *target_name, *project_name;
    const char *project_directory, *state;
    const char *kind; /* "create", "run", "drift", "destroy", "resume" */
    const char *does; /* what is done: the kind, of a resume that of the run it goes on with */
    const char *run_id, *group_id, *parent_id;
    const char *root_run;      /* id of the first run of a chain of resumes; without one run_id */
    const struct words *chain; /* of a resume: the runs before it, the first one first; NULL: none */
    const struct words *done;  /* of a resume: phases that are completed; NULL: none */
    const char *owed_at;       /* of a resume: the phase that an earlier run of the chain broke off, ... */
    const struct json *owed;   /* ... and the handlers it owes; may be NULL */
    bool fresh;                /* of a resume: the machine was made by an earlier run of the chain */
    const struct machine *machine; /* what was made before; NULL: nothing */
    const char *const *phases;     /* names, in recipe order; NULL-terminated; empty: all */
    const char *const *arguments;  /* for ansible-playbook, after -- */
    const char *const *sets;       /* --set, for the stage children */
    const char *ansible_version, *extra_digest, *plan;
    /* plays of the recipe keep async jobs where their strategy does (run/async_directory.h) */
    bool async_fixed;
    const struct words *no_mitogen; /* of mitogen_refusals (ansible/mitogen.h); NULL: none */
    /* dry_run: Ansible is told to check, and changes nothing */
    bool partial, dry_run, check_idempotent, keep_state, no_teardown;
    /* Exit code of a run that ended so; `stage` is NULL when a phase ended it. Only
     * command/ knows the codes. */
    int (*exit_code)(enum outcome outcome, const char *stage, bool changed_where_none_should);
};
