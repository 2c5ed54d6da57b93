/* Going on with a run that broke off: what of it is completed, where it ended, what it owes, and what speaks
 * against it. Reads the store and the project's files only. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "config/project.h"
#include "format/json.h"
#include "store/history.h"
#include <stdbool.h>

struct resume {
    char *parent, *root; /* the run it goes on with; the first of the chain */
    char *does;          /* "create", "run", "destroy" */
    char *machine_id;    /* of that run; NULL: none was made */
    /* the step that ended it and how, before what came to put the host in order; NULL: none began */
    char *at, *at_outcome;
    char *extra_digest;  /* of the -e arguments it had; NULL: none */
    struct json *plan;   /* its run.plan */
    struct words done;   /* phases that need not run again, in order */
    struct words unsure; /* phases that ended ok, but whose files were not recorded: they run again */
    struct words chain;  /* ids of the runs so far, the first one first */
    struct words begun;  /* steps that the chain began before */
    struct words asked, arguments; /* as it was told */
    char *owed_at;                 /* the phase that was broken off; NULL: none */
    struct json *owed;             /* handlers it owes; may be NULL */
    bool partial, fresh, dry_run, check_idempotent, keep_state, no_teardown;
};

/* Whether a run that has ended left something to go on with. */
bool resume_broke_off(const struct history_run *run);
/* `run`: one that has ended, not ok. ERROR_PROJECT where its row does not say what it set out to do. On
 * failure `out` is untouched. */
int resume_find(struct sql *db, const struct history_run *run, struct resume *out, struct error *err);
void resume_clear(struct resume *resume);
/* Whether `resume` of the run's target would go on with it, as far as the store tells: it has ended, not ok
 * and not invalid, is the last of its target made here and no round of a cycle, did not destroy, and its
 * machine is there. False also where the store cannot be read. `out` as of resume_find, only where true;
 * `step`: where it would go on, of `out`; NULL: not told by one. */
bool resume_would_go_on(const char *store, const char *run, struct resume *out, const char **step);
/* The plan of the new run, with what it takes over. The caller frees. */
struct json *resume_plan(const struct resume *resume, const struct target *target,
                         const struct recipe *recipe);
/* Adds a line for each reason not to go on: what completed phases used and the plan, where they changed; to
 * `untold` "PHASE: …" for what of it cannot be told. */
void resume_compare(const struct resume *resume, const struct project *project, const struct target *target,
                    struct words *out, struct words *untold);
