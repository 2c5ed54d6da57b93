/* One run of one target: its items (stages and phases) one after the other, attempts, the transport between them, and its rows. Lives in the worker's loop. */
#pragma once
#include "base/error.h"
#include "data/config.h"
#include "data/machine.h"
#include "data/outcome.h"
#include "mechanism/loop.h"

struct runner_request {
    const struct project *project; /* NULL only for a destroy whose project files cannot be read */
    const struct target *target;   /* likewise */
    const char *target_name, *project_name;
    const char *project_directory, *state;
    const char *kind; /* "create", "run", "destroy" */
    const char *run_id, *group_id;
    const struct machine *machine; /* what was made before; NULL: nothing */
    const char *const *phases;     /* names, in recipe order; NULL-terminated; empty: all */
    const char *const *arguments;  /* for ansible-playbook, after -- */
    const char *const *sets;       /* --set, for the stage children */
    const char *ansible_version, *extra_digest, *plan;
    bool partial, check_idempotent, keep_state, no_teardown;
    /* Exit code of a run that ended so; `stage` is NULL when a phase ended it. Only command/ knows the codes. */
    int (*exit_code)(enum outcome outcome, const char *stage, bool changed_where_none_should);
};

struct runner;
/* Opens sink and run folder and begins. When it is over the loop is stopped. */
int runner_start(struct loop *loop, const struct runner_request *request, struct runner **out,
                 struct error *err);
void runner_cancel(struct runner *runner); /* again: at once */
/* The process of the step that runs, -1 when none does. */
pid_t runner_child(const struct runner *runner);
/* Why it ended as it did, NULL where there is nothing to say. Borrowed. */
const char *runner_message(const struct runner *runner);
/* After the loop stopped: writes what is left, gives the exit code. Frees it. */
int runner_finish(struct runner *runner);
