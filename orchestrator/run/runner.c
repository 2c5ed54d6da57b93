#include "run/runner.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "config/layout.h"
#include "run/confirm_owed.h"
#include "run/recovery_rows.h"
#include "run/runner_close.h"
#include "run/runner_ended.h"
#include "run/runner_next.h"
#include "run/subscribers.h"

/* Actions that end a wait. */

static enum runner_state cancel_step(struct runner *runner)
{
    step_cancel(runner->step);
    return runner->state;
}

static enum runner_state expire_step(struct runner *runner)
{
    step_expire(runner->step);
    return runner->state;
}

static enum runner_state hurry(struct runner *runner)
{
    phase_record_hurry(&runner->record);
    return runner->state;
}

static enum runner_state not_begun(struct runner *runner)
{
    return runner_break(runner, "the begin of the run", runner->refused);
}

static enum runner_state not_announced(struct runner *runner)
{
    return runner_break(runner, "the machine's row", runner->refused);
}

/* State by event. What is not named is ignored: it cannot happen, or changes nothing now. */
static runner_action *const table[RUNNER_STATES][RUNNER_EVENTS] = {
    [RUN_OPENING] = {[RUN_COMMITTED] = runner_go_on, [RUN_NOT_COMMITTED] = not_begun},
    [RUN_ANNOUNCING] = {[RUN_COMMITTED] = runner_go_on, [RUN_NOT_COMMITTED] = not_announced},
    [RUN_FETCHING] = {[RUN_FETCHED] = runner_begin_phase,
                      [RUN_NOT_FETCHED] = runner_not_fetched,
                      [RUN_DEADLINE] = runner_stop_fetching,
                      [RUN_CANCEL] = runner_stop_fetching},
    [RUN_WORKING] = {[RUN_STEP_ENDED] = runner_take_step,
                     [RUN_STEP_LOST] = runner_lose_step,
                     [RUN_DEADLINE] = expire_step,
                     [RUN_CANCEL] = cancel_step,
                     [RUN_CANCEL_AGAIN] = cancel_step},
    [RUN_SWEEPING] = {[RUN_STEP_ENDED] = runner_take_part,
                      [RUN_STEP_LOST] = runner_lose_step,
                      [RUN_CANCEL_AGAIN] = cancel_step},
    [RUN_LAST_LOOK] = {[RUN_STEP_ENDED] = runner_take_part,
                       [RUN_STEP_LOST] = runner_lose_step,
                       [RUN_CANCEL_AGAIN] = cancel_step},
    [RUN_RECOVERING] = {[RUN_STEP_ENDED] = runner_take_part,
                        [RUN_STEP_LOST] = runner_lose_step,
                        [RUN_DEADLINE] = expire_step,
                        [RUN_CANCEL] = cancel_step,
                        [RUN_CANCEL_AGAIN] = cancel_step},
    [RUN_PAUSING] = {[RUN_PAUSED] = runner_go_on, [RUN_DEADLINE] = runner_go_on, [RUN_CANCEL] = runner_go_on},
    [RUN_RECORDING] = {[RUN_RECORDED] = runner_item_recorded,
                       [RUN_DEADLINE] = hurry,
                       [RUN_CANCEL] = hurry,
                       [RUN_CANCEL_AGAIN] = hurry},
    [RUN_CLOSING] = {[RUN_COMMITTED] = runner_closed, [RUN_NOT_COMMITTED] = runner_not_closed},
    [RUN_BROKEN] = {[RUN_COMMITTED] = runner_closed, [RUN_NOT_COMMITTED] = runner_closed},
};

void runner_feed(struct runner *runner, enum runner_event event)
{
    runner_action *action = table[runner->state][event];
    if (action)
        runner->state = action(runner);
    health_drive_look(&runner->health);
}

/* Sources of events. Those of what is begun stand beside its begin (runner_next.c). */

static void on_store(void *context, bool committed, const char *failure)
{
    struct runner *runner = context;
    runner->refused = failure;
    runner_feed(runner, committed ? RUN_COMMITTED : RUN_NOT_COMMITTED);
    runner->refused = NULL;
}

void runner_commit(struct runner *runner, const struct event *event)
{
    sink_commit(runner->sink, event, on_store, runner);
}

static void on_recorded(void *context, const char *failure)
{
    struct runner *runner = context;
    if (failure)
        run_rows_note_unrecorded(runner_notes(runner), progress_item(&runner->progress)->phase, failure);
    runner_feed(runner, RUN_RECORDED);
}

static void on_pause_over(void *context)
{
    runner_feed(context, RUN_PAUSED);
}

static void on_deadline(void *context)
{
    struct runner *runner = context;
    runner->asked.expired = true;
    runner_feed(runner, RUN_DEADLINE);
}

/* Nothing waits for it. */
static void on_ahead(void *context)
{
    runner_look_ahead(context, 1);
}

struct run_notes runner_notes(const struct runner *runner)
{
    return (struct run_notes){runner->sink, runner->request.run_id, runner->seq};
}

int runner_start(struct loop *loop, const struct runner_request *request, struct runner **out,
                 struct error *err)
{
    AUTO_FREE char *folder = layout_run(request->state, request->run_id);
    AUTO_FREE char *store = layout_store(request->state);
    struct runner *runner = xcalloc(1, sizeof *runner);
    runner->loop = loop;
    runner->request = *request;
    runner->state = RUN_OPENING;
    runner->drive = (struct recovery_drive)RECOVERY_DRIVE_INIT;
    runner->health = (struct health_drive)HEALTH_DRIVE_INIT;
    runner->exit_code = -1;
    runner->birth = (struct run_birth){request->fresh, moment_wall()};
    runner->started_monotonic = moment_monotonic();
    if (file_make_dirs(folder, 0700, err) < 0 ||
        run_context_enter(&runner->context, request, folder, err) < 0) {
        free(runner);
        return -1;
    }
    const struct subscriber_place place = {store, folder};
    if (sink_open(loop, &place, run_subscribers, run_subscribers_count, &runner->sink, err) < 0) {
        run_context_leave(&runner->context);
        run_context_clear(&runner->context);
        free(runner);
        return -1;
    }
    if (health_drive_start(&runner->health, loop, &runner->context, runner->sink, &runner->seq, err) < 0) {
        (void)sink_close(runner->sink, NULL);
        run_context_leave(&runner->context);
        run_context_clear(&runner->context);
        free(runner);
        return -1;
    }
    progress_begin(&runner->progress, request);
    phase_record_begin(&runner->record, loop, &runner->context, runner->sink, on_recorded, runner);
    runner->deadline = loop_timer(loop, on_deadline, runner);
    runner->pause = loop_timer(loop, on_pause_over, runner);
    runner->ahead = loop_timer(loop, on_ahead, runner);
    if (request->machine && request->target) {
        recovery_rows_read_owed(&runner->drive.recovery, store, request->machine);
        runner->confirm_owed = confirm_owed_read(store, request->machine);
    }
    timer_arm(runner->deadline, runner_time_left(runner));
    *out = runner;
    struct event event = run_rows_begin(&runner->context, &runner->birth);
    runner_commit(runner, &event);
    return 0;
}

void runner_cancel(struct runner *runner)
{
    bool again = runner->asked.cancels++ > 0;
    sink_hurry(runner->sink);
    runner_feed(runner, again ? RUN_CANCEL_AGAIN : RUN_CANCEL);
}

pid_t runner_child(const struct runner *runner)
{
    return runner && runner->step ? step_child(runner->step) : -1;
}

int runner_finish(struct runner *runner, char **message)
{
    AUTO_ERROR err = ERROR_INIT;
    bool closed = sink_close(runner->sink, &err) == 0;
    int code = closed ? runner->exit_code : runner->request.exit_code(OUTCOME_CRASHED, NULL, false);
    timer_free(&runner->deadline);
    timer_free(&runner->pause);
    timer_free(&runner->ahead);
    aside_stop(&runner->aside);
    recovery_clear(&runner->drive.recovery);
    health_drive_clear(&runner->health);
    contact_clear(&runner->contact);
    json_free(runner->confirm_owed);
    phase_record_clear(&runner->record);
    progress_clear(&runner->progress);
    verdict_clear(&runner->ending);
    run_context_clear(&runner->context);
    *message = closed || runner->message ? TAKE(runner->message) : xstrdup(error_text(&err));
    free(runner);
    return code;
}
