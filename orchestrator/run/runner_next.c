#include "run/runner_next.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/marks.h"
#include "config/ready_step.h"
#include "run/runner_close.h"
#include "stage/confirm_settle.h"
#include "stage/health_wait.h"

enum {
    DEFAULT_RUN_DEADLINE_S = 7200,
    /* after a phase began the interpreter of the next is started: its own start has
     * the processor until then */
    AHEAD_MS = 300
};

int64_t runner_time_left(const struct runner *runner)
{
    int64_t whole =
        runner->request.target ? runner->request.target->deadline_ns : DEFAULT_RUN_DEADLINE_S * NS_PER_S;
    return whole - (moment_monotonic() - runner->started_monotonic);
}

const char *runner_cut_short(const struct runner *runner)
{
    return runner->asked.cancels > 1 ? "the run was cancelled a second time" : NULL;
}

void runner_look_ahead(struct runner *runner, size_t skipped)
{
    const struct phase *phase = progress_phase(&runner->progress, skipped);
    if (phase)
        attempt_phase_look_ahead(&runner->context, phase);
}

/* Steps. */

static void on_step_over(void *context, bool begun, const struct step_end *over)
{
    struct runner *runner = context;
    runner->begun = begun;
    runner->over = over;
    runner_feed(runner, begun && over->stored ? RUN_STEP_ENDED : RUN_STEP_LOST);
    runner->over = NULL;
}

static struct verdict judge(void *context, const struct evidence *evidence)
{
    struct runner *runner = context;
    return attempt_judge(runner->attempt, evidence);
}

/* The phase whose way to the host the item goes; NULL: it goes none that a transport finds. */
static const struct phase *carried(const struct runner *runner)
{
    const struct item *item = progress_item(&runner->progress);
    if (item->like)
        return item->like;
    return item->over_transport ? progress_phase(&runner->progress, 0) : item->phase;
}

static void tell_acceleration(const struct runner *runner, const struct phase *phase)
{
    const struct step_order *plan = &runner->attempt->plan;
    if (plan->accelerated_why)
        run_rows_note_accelerated(runner_notes(runner),
                                  accelerate_name(project_accelerate(runner->request.target, phase)),
                                  plan->accelerated, plan->accelerated_why);
}

/* `stage` NULL: the phase of the item that is next. */
static int begin_step(struct runner *runner, const char *stage, int number, struct error *err)
{
    const struct item *item = progress_item(&runner->progress);
    if (stage && !runner->context.recovery)
        runner->context.recovery = json_new_object();
    if (stage)
        contact_ask(&runner->contact, stage, runner->context.recovery);
    else
        runner->contact.starting |= item->phase->reboots;
    runner->step_started_ns = moment_monotonic();
    if (stage && ready_step_is_stage(stage))
        json_set_integer(runner->context.recovery, "ready_at", (int64_t)item->ready);
    if (stage && text_is(stage, STAGE_CONFIRM))
        json_set(runner->context.recovery, "confirm", json_keep(runner->confirm_owed));
    const struct phase *phase = stage && text_is(stage, "transport") ? carried(runner) : item->phase;
    struct attempt_order order = {stage, phase, ++runner->seq, number, runner->progress.owed};
    bool waits = stage && text_is(stage, STAGE_HEALTH);
    runner->context.health_fd = waits ? health_drive_wait(&runner->health, err) : -1;
    int status = waits && runner->context.health_fd < 0
                     ? -1
                     : attempt_prepare(&runner->context, &order, &runner->attempt, err);
    if (status == 0)
        status = step_start(runner->loop, runner->sink, &runner->attempt->plan, judge, on_step_over, runner,
                            &runner->step, err);
    json_free(TAKE(runner->context.recovery));
    if (status == 0 && !stage)
        tell_acceleration(runner, phase);
    if (status < 0) {
        attempt_free(TAKE(runner->attempt));
        runner->seq--;
    }
    return status;
}

static enum runner_state begin_stage(struct runner *runner, const char *stage)
{
    AUTO_ERROR err = ERROR_INIT;
    if (begin_step(runner, stage, progress_attempt(&runner->progress, stage), &err) < 0) {
        error_prefix(&err, "cannot begin %s", stage);
        return runner_close_failed(runner, stage, &err);
    }
    runner_look_ahead(runner, 0);
    return RUN_WORKING;
}

enum runner_state runner_begin_phase(struct runner *runner)
{
    AUTO_ERROR err = ERROR_INIT;
    const struct phase *phase = progress_item(&runner->progress)->phase;
    if (begin_step(runner, NULL, progress_attempt(&runner->progress, NULL), &err) < 0) {
        error_prefix(&err, "cannot begin %s", phase->name);
        return runner_close_failed(runner, NULL, &err);
    }
    join_key_wipe(&runner->context.key);
    phase_record_begins(&runner->record, phase, moment_wall() + runner->step_started_ns - moment_monotonic());
    timer_arm(runner->ahead, AHEAD_MS * NS_PER_MS);
    return RUN_WORKING;
}

/* What a step needs before it. */

/* In the machine's row before it is used: where this worker is killed the next run deletes it. */
static void take_key(struct runner *runner, const char *bytes, size_t length)
{
    join_key_take(&runner->fetch, bytes, length, &runner->context.key);
    struct event event = run_rows_machine(&runner->context);
    if (run_context_note_key(&runner->context))
        sink_put(runner->sink, &event);
}

static void on_secrets(void *context, const char *bytes, size_t length, const struct error *failure)
{
    struct runner *runner = context;
    runner->aside = NULL;
    runner->unfetched = failure;
    if (!failure && runner->fetches_key)
        take_key(runner, bytes, length);
    else if (!failure)
        secret_fetch_take(&runner->fetch.secrets, bytes, length);
    runner_feed(runner, failure ? RUN_NOT_FETCHED : RUN_FETCHED);
    runner->unfetched = NULL;
}

enum runner_state runner_not_fetched(struct runner *runner)
{
    const struct error *failure = runner->unfetched;
    AUTO_ERROR err = ERROR_INIT;
    error_set(&err, failure->kind, "cannot begin %s: %s", progress_item(&runner->progress)->phase->name,
              error_text(failure));
    return runner_close_failed(runner, NULL, &err);
}

/* Secrets that may take their time are there before the phase begins: its time, and
 * nobody else's, waits for them. */
static enum runner_state fetch_secrets(struct runner *runner)
{
    const struct runner_request *request = &runner->request;
    AUTO_ERROR err = ERROR_INIT;
    runner->fetches_key = progress_joins(&runner->progress);
    if (!runner->fetches_key && !secret_fetch_needed(request->project, request->target))
        return runner_begin_phase(runner);
    AUTO_FREE char *marker = marks_run(request->run_id);
    const struct phase *phase = progress_item(&runner->progress)->phase;
    runner->fetch = (struct join_key_fetch){.secrets = {request->project, request->target},
                                            .deadline_ns = phase->limits.of[WATCHDOG_DEADLINE],
                                            .old_id = runner->context.key.id};
    if (aside_start(runner->loop, &runner->context.run_scope, marker,
                    runner->fetches_key ? join_key_read : secret_fetch_read,
                    runner->fetches_key ? (const void *)&runner->fetch : &runner->fetch.secrets, on_secrets,
                    runner, &runner->aside, &err) < 0) {
        runner->unfetched = &err;
        return runner_not_fetched(runner);
    }
    return RUN_FETCHING;
}

enum runner_state runner_stop_fetching(struct runner *runner)
{
    aside_stop(&runner->aside);
    return runner_go_on(runner);
}

/* Before anything exists there is a row that says how it will be called. */
static enum runner_state announce_machine(struct runner *runner)
{
    AUTO_ERROR err = ERROR_INIT;
    if (run_context_announce(&runner->context, &err) < 0)
        return runner_close_failed(runner, "provision", &err);
    struct event event = run_rows_machine(&runner->context);
    runner_commit(runner, &event);
    return RUN_ANNOUNCING;
}

/* Recovery. */

static enum runner_state part_over(struct runner *runner, enum runner_state state, bool well,
                                   const struct json *result, const char *why)
{
    const char *cut = runner_cut_short(runner);
    recovery_drive_ended(&runner->drive, runner_notes(runner), well, result, cut ? cut : why);
    if (state != RUN_LAST_LOOK)
        return runner_go_on(runner);
    struct verdict ending = runner->ending;
    runner->ending = (struct verdict){0};
    return runner_close(runner, ending, NULL);
}

enum runner_state runner_part_over(struct runner *runner, bool well, const struct json *result,
                                   const char *why)
{
    return part_over(runner, runner->state, well, result, why);
}

/* `state`: that the run is in meanwhile. */
static enum runner_state begin_part(struct runner *runner, enum recovery_part part, enum runner_state state)
{
    AUTO_ERROR err = ERROR_INIT;
    const char *stage =
        recovery_drive_begin(&runner->drive, part, &runner->context, progress_item(&runner->progress)->phase,
                             runner->asked.cancels > 0, runner_time_left(runner));
    if (begin_step(runner, stage, recovery_drive_attempt(&runner->drive), &err) < 0)
        return part_over(runner, state, false, NULL, error_text(&err));
    if (state != RUN_LAST_LOOK)
        runner_look_ahead(runner, 0);
    return state;
}

enum runner_state runner_look_last(struct runner *runner)
{
    return begin_part(runner, RECOVERY_SWEEP, RUN_LAST_LOOK);
}

static enum runner_state pause_before_retry(struct runner *runner)
{
    recovery_ended(&runner->drive.recovery, RECOVERY_PAUSE, true, 0);
    run_context_forget(&runner->context); /* transport and facts are to be found anew */
    timer_arm(runner->pause, progress_item(&runner->progress)->phase->retry_pause_ns);
    return RUN_PAUSING;
}

/* Whatever is due. */

static enum runner_state begin_item(struct runner *runner)
{
    const struct item *item = progress_item(&runner->progress);
    const struct phase *phase = carried(runner);
    if (phase && !run_context_has_transport(&runner->context, phase))
        return begin_stage(runner, "transport");
    if (item->phase && runner->confirm_owed)
        return begin_stage(runner, STAGE_CONFIRM);
    if (item->phase)
        return fetch_secrets(runner);
    if (text_is(item->stage, "provision") && !runner->context.machine)
        return announce_machine(runner);
    return begin_stage(runner, item->stage);
}

enum runner_state runner_go_on(struct runner *runner)
{
    enum recovery_part part = recovery_next(&runner->drive.recovery);
    if (part == RECOVERY_SWEEP) /* whatever else was asked for */
        return begin_part(runner, part, RUN_SWEEPING);
    if (runner->asked.cancels || runner->asked.expired || progress_over(&runner->progress))
        return runner_close(runner, runner_judge(runner, (struct run_standing){0}), NULL);
    switch (part) {
    case RECOVERY_ASYNC:
    case RECOVERY_MAKE_UP:
        return begin_part(runner, part, RUN_RECOVERING);
    case RECOVERY_PAUSE:
        return pause_before_retry(runner);
    case RECOVERY_SWEEP:
    case RECOVERY_TRANSPORT:
    case RECOVERY_OVER:
        break; /* a phase without a transport asks for one, whyever it has none */
    }
    return begin_item(runner);
}
