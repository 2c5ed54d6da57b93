/* What create, run and destroy share: lock, reconcile, plan, a worker per target, and following them to their ends. */
#pragma once
#include "base/words.h"
#include "data/config.h"

struct launch {
    const char *kind;              /* "create", "run", "destroy" */
    const struct project *project; /* NULL only for destroy */
    const char *project_directory; /* absolute */
    const char *const *targets;    /* names, NULL-terminated */
    const char *const *phases;     /* NULL-terminated; empty: all */
    const char *const *arguments;  /* behind --; NULL-terminated, may be NULL */
    const char *const *sets;
    const char *group_id; /* of the cycle that the runs belong to; may be NULL */
    int jobs;
    bool check_idempotent, keep_state, no_teardown;
};

/* Refuses what can be refused for every target before anything is made for any; the exit code that counts. */
int launch(const struct launch *launch);
/* Where "--" stands in argv, argc where it does not. */
int launch_dashes(int argc, char **argv);
/* Takes the target's lock in the name of `run`; while the guard of a dead worker has it, that is waited for, at most 10 s. -1 with ERROR_BUSY naming who has it. */
int launch_lock(const char *state, const char *target, const char *run, int *out, struct error *err);
