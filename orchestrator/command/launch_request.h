/* What create, run, resume, destroy and each round of a cycle ask for. */
#pragma once
#include "config/config.h"
#include "run/resume.h"

struct launch {
    const char *kind;            /* "create", "run", "drift", "destroy", "resume" */
    const struct resume *resume; /* what a resume goes on with; else NULL */
    /* NULL only for destroy; its targets are completed by ansible/host_variables.h */
    struct project *project;
    const char *project_directory; /* absolute */
    const char *const *targets;    /* names, NULL-terminated */
    const char *const *phases;     /* NULL-terminated; empty: all */
    const char *const *arguments;  /* behind --; NULL-terminated, may be NULL */
    const char *const *sets;
    const char *group_id; /* of the cycle that the runs belong to; may be NULL */
    /* of a destroy: what is not past its time at this moment is left alone; 0: that does not matter */
    int64_t expired_ns;
    int jobs;
    bool check_idempotent, keep_state, no_teardown;
    /* not followed: over as soon as every run is begun, which of a target whose peers are
     * still to be made is then */
    bool detach;
};
