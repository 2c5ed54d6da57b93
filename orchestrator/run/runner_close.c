#include "run/runner_close.h"

#include "base/memory.h"
#include "base/moment.h"

enum { MASTERS_BOUND_S = 5 };

/* Masters and async jobs on this machine. */
static void end_what_belongs_to_it(struct runner *runner)
{
    timer_disarm(runner->deadline);
    timer_disarm(runner->pause);
    timer_disarm(runner->ahead);
    aside_stop(&runner->aside);
    phase_record_stop(&runner->record);
    run_context_leave(&runner->context);
    AUTO_ERROR err = ERROR_INIT;
    if (scope_end(&runner->context.run_scope, MASTERS_BOUND_S * NS_PER_S, &err) < 0)
        run_rows_note_survivors(runner_notes(runner), error_text(&err));
}

enum runner_state runner_close(struct runner *runner, enum outcome outcome, const char *stage,
                               const char *message)
{
    free(runner->message);
    runner->message = xstrdup_or_null(message);
    end_what_belongs_to_it(runner);
    bool found_changes = runner->request.check_idempotent && runner->changed && outcome == OUTCOME_OK;
    runner->exit_code = runner->request.exit_code(outcome, stage, found_changes);
    struct event event =
        run_rows_end(&runner->context, &runner->birth, moment_monotonic() - runner->started_monotonic,
                     outcome, runner->exit_code, runner->message);
    runner_commit(runner, &event);
    return RUN_CLOSING;
}

enum runner_state runner_close_failed(struct runner *runner, const char *stage, const struct error *failure)
{
    return runner_close(runner, failure->kind == ERROR_PROJECT ? OUTCOME_INVALID : OUTCOME_FAILED, stage,
                        error_text(failure));
}

enum runner_state runner_break(struct runner *runner, const char *what, const char *why)
{
    AUTO_FREE char *message =
        xasprintf("%s could not be stored: %s; free the disk or the lock, then run again", what,
                  why ? why : "unknown");
    (void)runner_close(runner, OUTCOME_CRASHED, NULL, message);
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
