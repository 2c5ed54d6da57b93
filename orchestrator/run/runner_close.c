#include "run/runner_close.h"

#include "base/memory.h"
#include "base/moment.h"

enum { MASTERS_BOUND_S = 5 };

/* The one that a bootstrap was given, where no stage behind it did so; or that one of a run that was
 * killed. */
static void delete_key(struct runner *runner)
{
    AUTO_ERROR err = ERROR_INIT;
    if (!runner->request.target) /* its files cannot be read: it ends by itself */
        return;
    if (join_key_delete(&runner->context.key, runner->request.project, runner->request.target, &err) < 0)
        run_rows_note_key_left(runner_notes(runner), error_text(&err));
    struct event event = run_rows_machine(&runner->context);
    if (run_context_note_key(&runner->context))
        sink_put(runner->sink, &event);
}

/* Masters and async jobs on this machine. */
static void end_what_belongs_to_it(struct runner *runner)
{
    timer_disarm(runner->deadline);
    timer_disarm(runner->pause);
    timer_disarm(runner->ahead);
    aside_stop(&runner->aside);
    health_drive_end(&runner->health);
    phase_record_stop(&runner->record);
    delete_key(runner);
    struct event event = run_rows_machine(&runner->context);
    if (run_context_expires(&runner->context))
        sink_put(runner->sink, &event);
    run_context_leave(&runner->context);
    AUTO_ERROR err = ERROR_INIT;
    if (scope_end(&runner->context.run_scope, MASTERS_BOUND_S * NS_PER_S, &err) < 0)
        run_rows_note_survivors(runner_notes(runner), error_text(&err));
}

struct verdict runner_judge(const struct runner *runner, struct run_standing standing)
{
    standing.last_step = runner->seq;
    standing.cancelled = runner->asked.cancels > 0;
    standing.expired = runner->asked.expired;
    standing.dry_run = runner->request.dry_run;
    standing.would_change = runner->changed_items;
    standing.changed = runner->request.check_idempotent && runner->changed;
    return verdict_of_run(&standing);
}

enum runner_state runner_close(struct runner *runner, struct verdict verdict, const char *stage)
{
    free(runner->message);
    runner->message = xstrdup_or_null(verdict.message);
    end_what_belongs_to_it(runner);
    bool found_changes = runner->request.check_idempotent && runner->changed && verdict.outcome == OUTCOME_OK;
    runner->exit_code = runner->request.exit_code(verdict.outcome, stage, found_changes);
    struct event event =
        run_rows_end(&runner->context, &runner->birth, moment_monotonic() - runner->started_monotonic,
                     &verdict, runner->exit_code);
    runner_commit(runner, &event);
    verdict_clear(&verdict);
    return RUN_CLOSING;
}

enum runner_state runner_close_failed(struct runner *runner, const char *stage, const struct error *failure)
{
    return runner_close(runner, runner_judge(runner, (struct run_standing){.unbegun = failure}), stage);
}

enum runner_state runner_break(struct runner *runner, const char *what, const char *why)
{
    const struct run_standing standing = {.unstored = what, .store_failure = why};
    (void)runner_close(runner, runner_judge(runner, standing), NULL);
    return RUN_BROKEN;
}

enum runner_state runner_closed(struct runner *runner)
{
    loop_stop(runner->loop);
    return RUN_OVER;
}

enum runner_state runner_not_closed(struct runner *runner)
{
    runner->exit_code = runner->request.exit_code(OUTCOME_CRASHED, NULL, false);
    free(runner->message);
    runner->message =
        xasprintf("the end of the run could not be stored: %s; it stands in the run's run.ndjson",
                  runner->refused);
    return runner_closed(runner);
}
