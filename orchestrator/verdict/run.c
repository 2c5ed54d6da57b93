/* Runs: what stops one, and what it ends as then. */
#include "base/memory.h"
#include "verdict/tables.h"

static bool died(const struct evidence *e)
{
    return e->run->died;
}

static bool store_broke(const struct evidence *e)
{
    return e->run->unstored != NULL;
}

static bool files_at_fault(const struct evidence *e)
{
    return e->run->unbegun && e->run->unbegun->kind == ERROR_PROJECT;
}

static bool not_begun(const struct evidence *e)
{
    return e->run->unbegun != NULL;
}

/* Where both came, what stopped the step has the word; between two steps the cancel has. */
static bool expired(const struct evidence *e)
{
    bool cancelled = e->run->step.outcome ? e->run->step.outcome == OUTCOME_CANCELLED : e->run->cancelled;
    return e->run->expired && !cancelled;
}

static bool cancelled(const struct evidence *e)
{
    return e->run->cancelled;
}

static bool by_step(const struct evidence *e)
{
    return e->run->step.outcome != OUTCOME_NONE && e->run->step.outcome != OUTCOME_OK;
}

/* Its own is that of the run. */
static enum outcome of_step(const struct evidence *e)
{
    return e->run->step.outcome;
}

static bool changed(const struct evidence *e)
{
    return e->run->changed;
}

static char *say_death(const struct evidence *e)
{
    return xasprintf("triphase itself died; %d process(es) of the run were found and ended", e->run->ended);
}

static char *say_store(const struct evidence *e)
{
    return xasprintf("%s could not be stored: %s; free the disk or the lock, then run again",
                     e->run->unstored, e->run->store_failure ? e->run->store_failure : "unknown");
}

static char *say_unbegun(const struct evidence *e)
{
    return xstrdup(error_text(e->run->unbegun));
}

static char *say_deadline(const struct evidence *e)
{
    (void)e;
    return xstrdup("the deadline of the whole run");
}

static char *say_step(const struct evidence *e)
{
    return xstrdup_or_null(e->run->step.message);
}

static char *say_cancel(const struct evidence *e)
{
    return e->run->step.outcome ? say_step(e) : xstrdup("cancelled between two steps");
}

static char *say_done(const struct evidence *e)
{
    const struct run_standing *run = e->run;
    return run->dry_run ? xasprintf("dry run: %lld task%s would change", (long long)run->would_change,
                                    run->would_change == 1 ? "" : "s")
                        : NULL;
}

/* The step that ended it, and why that was not tried again. */
static void see_step(const struct run_standing *run, struct text *out)
{
    text_addf(out, "step %d %s", run->step.seq, run->step.name);
    if (run->step.attempts)
        text_addf(out, " (attempt %d of at most %d)", run->step.attempt, run->step.attempts);
    text_addf(out, " ended as %s", outcome_name(run->step.outcome));
    if (run->step.outcome == OUTCOME_OK || run->cancelled || run->expired || !run->step.attempts)
        return;
    if (!run->step.retried)
        text_addf(out, ", which retry_on does not name");
    else
        text_add(out, ", no attempt is left");
}

static void see(const struct evidence *e, struct text *out)
{
    const struct run_standing *run = e->run;
    if (run->died) {
        text_addf(out, "its worker was gone, %d of its processes were left", run->ended);
        return;
    }
    if (run->step.outcome)
        see_step(run, out);
    else if (run->last_step)
        text_addf(out, "after step %d", run->last_step);
    else
        text_add(out, "before any step");
    if (run->unstored)
        text_addf(out, ", %s was not stored", run->unstored);
    if (run->unbegun)
        text_add(out, ", the next step did not begin");
    if (run->cancelled)
        text_add(out, ", the run was cancelled");
    if (run->expired)
        text_add(out, ", the run's deadline had struck");
    if (run->changed)
        text_add(out, ", a task had changed something");
    if (!run->step.outcome && !run->unstored && !run->unbegun && !run->cancelled && !run->expired)
        text_add(out, ", nothing was left to do");
}

static const struct verdict_row rows[] = {
    {"died", died, OUTCOME_CRASHED, NULL, "its worker died, and a later command closed its rows", say_death,
     NULL},
    {"store-broke", store_broke, OUTCOME_CRASHED, NULL, "the store could not be written", say_store, NULL},
    {"files-at-fault", files_at_fault, OUTCOME_INVALID, NULL,
     "the next step could not begin, for the project's files are at fault", say_unbegun, NULL},
    {"not-begun", not_begun, OUTCOME_FAILED, NULL, "the next step could not begin", say_unbegun, NULL},
    {"deadline", expired, OUTCOME_DEADLINE, NULL, "the run's own deadline struck", say_deadline, NULL},
    {"cancelled", cancelled, OUTCOME_CANCELLED, NULL, "it was cancelled", say_cancel, NULL},
    {"step", by_step, OUTCOME_NONE, NULL, "a step ended it, and it ends as that step did", say_step, NULL},
    {"changed", changed, OUTCOME_OK, NULL,
     "all is done, but a task changed something (of a drift: would): the exit code is 1", say_done, NULL},
    {"ok", verdict_always, OUTCOME_OK, NULL, "all that was to be done is done", say_done, NULL},
};

const struct verdict_table verdict_table_of_runs = {"run", rows, COUNT_OF(rows), false, of_step, see};
