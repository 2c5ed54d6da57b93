#include "run/runner.h"

#include "ansible/secret_fetch.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "process/aside.h"
#include "run/attempt.h"
#include "run/contact.h"
#include "run/context.h"
#include "run/phase_record.h"
#include "run/progress.h"
#include "run/recovery_drive.h"
#include "run/recovery_rows.h"
#include "run/rows.h"
#include "step/step.h"

enum {
    DEFAULT_RUN_DEADLINE_S = 7200,
    MASTERS_BOUND_S = 5,
    AHEAD_MS =
        300 /* after a phase began the interpreter of the next is started: its own start has the processor until then */
};

struct runner {
    struct loop *loop;
    struct runner_request request;
    struct sink *sink;
    struct step *step;
    struct run_context context; /* what attempts read and leave: machine, transport, folders */
    struct progress progress;
    struct phase_record record;
    struct contact contact;
    struct recovery_drive drive;
    struct run_birth birth;
    int seq; /* of the last step */
    struct attempt *attempt;
    int cancels;
    struct {
        bool set;
        enum outcome outcome;
        char *message;
    } ending;                /* how the run ends once the host was looked at */
    int64_t step_started_ns; /* monotonic */
    struct timer *deadline, *pause, *ahead;
    struct aside *aside; /* what a child of this program works on between two steps */
    struct secret_fetch fetch;
    const char *fetch_for; /* the phase */
    bool fetched;          /* the secrets of the phase that begins are there */
    bool cancelled, expired, changed;
    bool committing; /* waits for the store: its answer goes on, nothing else may */
    int64_t started_monotonic;
    char *message;
    int exit_code;
    bool store_failed;
};

static const char twice[] = "the run was cancelled a second time";

static void next(struct runner *runner);

static void commit(struct runner *runner, const struct event *event, sink_answer *answer)
{
    runner->committing = true;
    sink_commit(runner->sink, event, answer, runner);
}

static struct run_notes notes(const struct runner *runner)
{
    return (struct run_notes){runner->sink, runner->request.run_id, runner->seq};
}

static enum outcome outcome_of(const struct error *failure)
{
    return failure->kind == ERROR_PROJECT ? OUTCOME_INVALID : OUTCOME_FAILED;
}

static bool recovering(const struct runner *runner)
{
    return runner->drive.part != RECOVERY_OVER;
}

static void on_run_stored(void *context, bool committed, const char *failure)
{
    struct runner *runner = context;
    if (!committed && !runner->store_failed) {
        runner->store_failed = true;
        free(runner->message);
        runner->message =
            xasprintf("the end of the run could not be stored: %s; it stands in the run's run.ndjson",
                      failure);
    }
    loop_stop(runner->loop);
}

/* The run is over: what belongs to it (masters, async jobs on this machine) goes, then its row is closed. */
static void finish(struct runner *runner, enum outcome outcome, const char *stage, const char *message)
{
    timer_disarm(runner->deadline);
    timer_disarm(runner->pause);
    timer_disarm(runner->ahead);
    aside_stop(&runner->aside);
    phase_record_stop(&runner->record);
    free(runner->message);
    runner->message = xstrdup_or_null(message);
    run_context_leave(&runner->context);
    AUTO_ERROR err = ERROR_INIT;
    if (scope_end(&runner->context.run_scope, MASTERS_BOUND_S * NS_PER_S, &err) < 0)
        run_rows_note_survivors(notes(runner), error_text(&err));
    bool found_changes = runner->request.check_idempotent && runner->changed && outcome == OUTCOME_OK;
    runner->exit_code = runner->request.exit_code(outcome, stage, found_changes);
    struct event event =
        run_rows_end(&runner->context, &runner->birth, moment_monotonic() - runner->started_monotonic,
                     outcome, runner->exit_code, runner->message);
    commit(runner, &event, on_run_stored);
}

static void store_broke(struct runner *runner, const char *doing, const char *why)
{
    runner->store_failed = true;
    AUTO_FREE char *message =
        xasprintf("%s could not be stored: %s; free the disk or the lock, then run again", doing,
                  why ? why : "unknown");
    finish(runner, OUTCOME_CRASHED, NULL, message);
}

static bool retries(const struct runner *runner, enum outcome outcome)
{
    return !runner->cancelled && !runner->expired && progress_may_retry(&runner->progress, outcome);
}

static void take_result(struct runner *runner)
{
    const struct json *result = runner->attempt->of_stage.result;
    if (!result)
        return;
    AUTO_MACHINE *machine = machine_from_json(json_get(result, "machine"));
    if (machine && machine->id) {
        bool newly_made =
            !runner->context.machine->made_ns && machine->made_ns && !machine_was_there(machine);
        runner->birth.fresh |= newly_made;
        runner->contact.starting |= newly_made;
        machine_free(runner->context.machine);
        runner->context.machine = TAKE(machine);
        struct event event = run_rows_machine(&runner->context);
        sink_put(runner->sink, &event);
    }
    const char *transport = json_get_string(result, "transport", NULL);
    if (transport) {
        run_context_took_transport(&runner->context, transport, json_get_string(result, "control_path", NULL),
                                   json_get(result, "evidence"));
        contact_verified(&runner->contact, runner->sink, runner->request.run_id, runner->seq,
                         progress_item(&runner->progress)->phase, result);
    }
}

/* The run ends so, after the host was looked at where that is due. */
static void end(struct runner *runner, enum outcome outcome, const char *stage, const char *message)
{
    if (recovery_next(&runner->drive.recovery) != RECOVERY_SWEEP) {
        finish(runner, outcome, stage, message);
        return;
    }
    runner->ending.set = true;
    runner->ending.outcome = outcome;
    runner->ending.message = xstrdup_or_null(message);
    next(runner);
}

static void on_part_over(struct runner *runner, enum outcome outcome, const struct json *result,
                         const char *message)
{
    recovery_drive_ended(&runner->drive, notes(runner), outcome == OUTCOME_OK, result,
                         runner->cancels > 1 ? twice : message);
    next(runner);
}

static void retry(struct runner *runner, enum outcome outcome)
{
    progress_retry(&runner->progress);
    run_rows_note_retry(notes(runner), progress_item(&runner->progress)->phase, runner->progress.attempt,
                        outcome);
    next(runner);
}

/* An attempt of a phase ended: it may owe handlers, and the host a look. */
static void take_attempt(struct runner *runner, const struct step_end *over, bool may_leave, bool again,
                         struct json *owed)
{
    const struct recovery_link link = contact_link(&runner->contact);
    enum outcome outcome = over->verdict.outcome;
    progress_owe(&runner->progress, owed);
    /* A look drops them; where there is none they lead nowhere still. */
    runner->contact.drop_masters |= over->unanswered;
    runner->drive.recovery.lost = outcome == OUTCOME_TRANSPORT_LOST || outcome == OUTCOME_UNREACHABLE;
    recovery_drive_broke(&runner->drive, notes(runner), may_leave, again,
                         runner->cancels > 1 ? twice
                         : over->unanswered  ? "the path was dead and a new connection got no answer either"
                                             : NULL,
                         &link, runner->step_started_ns);
}

static void item_done(struct runner *runner)
{
    const struct phase *phase = progress_item(&runner->progress)->phase;
    if (phase && (phase->network_churn || phase->reboots)) {
        run_context_forget(&runner->context);
        contact_disturbed(&runner->contact, phase);
    }
    progress_done(&runner->progress);
}

/* The phase that went well is recorded, or cannot be. */
static void on_recorded(void *context, const char *failure)
{
    struct runner *runner = context;
    if (failure)
        run_rows_note_unrecorded(notes(runner), progress_item(&runner->progress)->phase, failure);
    if (!runner->cancelled && !runner->expired)
        item_done(runner);
    next(runner);
}

static void on_step_over(void *context, bool started, const struct step_end *over)
{
    struct runner *runner = context;
    const struct item *item = progress_item(&runner->progress);
    const char *stage = runner->attempt->stage;
    struct step *step = TAKE(runner->step);
    enum outcome outcome = over->verdict.outcome;
    bool may_leave = outcome_may_leave(outcome, over->verdict.cause);
    AUTO_FREE char *message = xstrdup_or_null(over->verdict.message),
                   *store_failure = xstrdup_or_null(over->store_failure);
    AUTO_JSON *owed = NULL;
    AUTO_WORDS ran = WORDS_INIT; /* files of tasks */
    if (started) {
        words_add_list(&ran, words_argv(&over->tally->files));
        take_result(runner);
        owed = tally_owed(over->tally, false);
        runner->changed |= over->tally->changed > 0;
        runner->context.async_seen |= over->tally->async;
        if (over->knocked_ns)
            runner->contact.knocked_ns = over->knocked_ns;
        if (outcome == OUTCOME_OK && over->verdict.cause)
            run_rows_note_warning(notes(runner), &over->verdict);
        else if (over->by != ENDED_BY_ITSELF && over->by != ENDED_BY_CANCEL)
            run_rows_note_watchdog(notes(runner), outcome, over->tally);
    }
    bool stored = started && over->stored;
    AUTO_JSON *result = runner->attempt->of_stage.result ? json_keep(runner->attempt->of_stage.result) : NULL;
    attempt_free(TAKE(runner->attempt));
    step_free(step);

    if (!started || !stored) {
        store_broke(runner, started ? "the end of the step" : "the begin of the step", store_failure);
        return;
    }
    if (recovering(runner)) {
        on_part_over(runner, outcome, result, message);
        return;
    }
    bool again = !stage && retries(runner, outcome);
    if (!stage)
        take_attempt(runner, over, may_leave, again, TAKE(owed));
    else if (text_is(stage, "transport"))
        recovery_ended(&runner->drive.recovery, RECOVERY_TRANSPORT, outcome == OUTCOME_OK, 0);
    if (outcome == OUTCOME_OK && !stage) {
        phase_record_ends(&runner->record, &ran);
        if (runner->cancelled || runner->expired)
            phase_record_hurry(&runner->record);
    } else if (outcome == OUTCOME_OK && !runner->cancelled && !runner->expired) {
        if (!item->phase)
            item_done(runner);
        next(runner);
    } else if (again) {
        retry(runner, outcome);
    } else if (runner->expired && outcome != OUTCOME_CANCELLED) {
        end(runner, OUTCOME_DEADLINE, NULL, "the deadline of the whole run");
    } else if (runner->cancelled) {
        end(runner, OUTCOME_CANCELLED, stage, message);
    } else {
        end(runner, outcome, stage, message);
    }
}

static struct verdict judge(void *context, const struct evidence *evidence)
{
    struct runner *runner = context;
    return attempt_judge(runner->attempt, evidence);
}

/* `skipped`: items from the one that runs or is next. */
static void look_ahead(struct runner *runner, size_t skipped)
{
    const struct phase *phase = progress_phase(&runner->progress, skipped);
    if (phase)
        attempt_phase_look_ahead(&runner->context, phase);
}

static void on_ahead(void *context)
{
    look_ahead(context, 1);
}

static void on_secrets(void *context, const char *bytes, size_t length, const struct error *failure);

/* Secrets that may take their time are there before the phase begins: its time, and nobody else's, waits for them. */
static bool fetches_secrets(struct runner *runner, const struct phase *phase)
{
    const struct runner_request *request = &runner->request;
    AUTO_ERROR err = ERROR_INIT;
    if (runner->fetched || !secret_fetch_needed(request->project, request->target))
        return false;
    AUTO_FREE char *marker = xasprintf("TRIPHASE_RUN=%s", request->run_id);
    runner->fetch = (struct secret_fetch){request->project, request->target};
    runner->fetch_for = phase->name;
    if (aside_start(runner->loop, &runner->context.run_scope, marker, secret_fetch_read, &runner->fetch,
                    on_secrets, runner, &runner->aside, &err) < 0)
        on_secrets(runner, "", 0, &err);
    return true;
}

static void start(struct runner *runner, const char *stage, const struct item *item)
{
    AUTO_ERROR err = ERROR_INIT;
    const struct phase *phase = stage ? NULL : item->phase;
    if (phase && fetches_secrets(runner, phase))
        return;
    runner->fetched = false;
    if (stage && !runner->context.recovery)
        runner->context.recovery = json_new_object();
    if (stage)
        contact_ask(&runner->contact, stage, runner->context.recovery);
    else if (phase)
        runner->contact.starting |= phase->reboots;
    int attempt = recovering(runner) ? recovery_drive_attempt(&runner->drive)
                                     : progress_attempt(&runner->progress, stage);
    runner->seq++;
    runner->step_started_ns = moment_monotonic();
    struct attempt_order order = {stage, item->phase, runner->seq, attempt, runner->progress.owed};
    if (attempt_prepare(&runner->context, &order, &runner->attempt, &err) < 0 ||
        step_start(runner->loop, runner->sink, &runner->attempt->plan, judge, on_step_over, runner,
                   &runner->step, &err) < 0) {
        attempt_free(TAKE(runner->attempt));
        runner->seq--;
        json_free(TAKE(runner->context.recovery));
        if (recovering(runner)) {
            on_part_over(runner, OUTCOME_FAILED, NULL, error_text(&err));
            return;
        }
        error_prefix(&err, "cannot begin %s", phase ? phase->name : stage);
        finish(runner, outcome_of(&err), stage, error_text(&err));
        return;
    }
    if (phase)
        phase_record_begins(&runner->record, phase,
                            moment_wall() + runner->step_started_ns - moment_monotonic());
    json_free(TAKE(runner->context.recovery));
    if (phase)
        timer_arm(runner->ahead, AHEAD_MS * NS_PER_MS);
    else if (!runner->ending.set)
        look_ahead(runner, 0);
}

static void on_secrets(void *context, const char *bytes, size_t length, const struct error *failure)
{
    struct runner *runner = context;
    runner->aside = NULL;
    if (failure) {
        AUTO_FREE char *message = xasprintf("cannot begin %s: %s", runner->fetch_for, error_text(failure));
        finish(runner, outcome_of(failure), NULL, message);
        return;
    }
    secret_fetch_take(&runner->fetch, bytes, length);
    runner->fetched = true;
    start(runner, NULL, progress_item(&runner->progress));
}

static void on_machine_stored(void *context, bool committed, const char *failure)
{
    struct runner *runner = context;
    runner->committing = false;
    if (committed)
        next(runner);
    else
        store_broke(runner, "the machine's row", failure);
}

/* Before anything exists there is a row that says how it will be called. */
static void announce_machine(struct runner *runner)
{
    AUTO_ERROR err = ERROR_INIT;
    if (run_context_announce(&runner->context, &err) < 0) {
        finish(runner, outcome_of(&err), "provision", error_text(&err));
        return;
    }
    struct event event = run_rows_machine(&runner->context);
    commit(runner, &event, on_machine_stored);
}

static int64_t left_of_run(const struct runner *runner)
{
    int64_t whole =
        runner->request.target ? runner->request.target->deadline_ns : DEFAULT_RUN_DEADLINE_S * NS_PER_S;
    return whole - (moment_monotonic() - runner->started_monotonic);
}

static void start_part(struct runner *runner, enum recovery_part part)
{
    const struct item *item = progress_item(&runner->progress);
    const char *stage = recovery_drive_begin(&runner->drive, part, &runner->context, item->phase,
                                             runner->cancelled, left_of_run(runner));
    start(runner, stage, item);
}

/* Whether something of a recovery comes before whatever else there is to do; it was started then. */
static bool recovers(struct runner *runner)
{
    enum recovery_part part = recovery_next(&runner->drive.recovery);
    switch (part) {
    case RECOVERY_SWEEP:
    case RECOVERY_ASYNC:
    case RECOVERY_MAKE_UP:
        start_part(runner, part);
        return true;
    case RECOVERY_PAUSE:
        recovery_ended(&runner->drive.recovery, part, true, 0);
        run_context_forget(&runner->context); /* transport and facts are to be found anew */
        timer_arm(runner->pause, progress_item(&runner->progress)->phase->retry_pause_ns);
        return true;
    case RECOVERY_TRANSPORT:
    case RECOVERY_OVER:
        break; /* a phase without a transport asks for one, whyever it has none */
    }
    return false;
}

static void next(struct runner *runner)
{
    if (recovery_next(&runner->drive.recovery) == RECOVERY_SWEEP && recovers(runner))
        return;
    if (runner->ending.set) {
        finish(runner, runner->ending.outcome, NULL, runner->ending.message);
        return;
    }
    if (runner->cancelled) {
        finish(runner, OUTCOME_CANCELLED, NULL, "cancelled between two steps");
        return;
    }
    if (runner->expired) {
        finish(runner, OUTCOME_DEADLINE, NULL, "the deadline of the whole run");
        return;
    }
    if (progress_over(&runner->progress)) {
        finish(runner, OUTCOME_OK, NULL, NULL);
        return;
    }
    if (recovers(runner))
        return;
    const struct item *item = progress_item(&runner->progress);
    if (item->phase && !run_context_has_transport(&runner->context, item->phase))
        start(runner, "transport", item);
    else if (item->phase)
        start(runner, NULL, item);
    else if (text_is(item->stage, "provision") && !runner->context.machine)
        announce_machine(runner);
    else
        start(runner, item->stage, item);
}

static void on_begun(void *context, bool committed, const char *failure)
{
    struct runner *runner = context;
    runner->committing = false;
    if (!committed)
        store_broke(runner, "the begin of the run", failure);
    else
        next(runner);
}

static void on_pause_over(void *context)
{
    next(context);
}

static void on_deadline(void *context)
{
    struct runner *runner = context;
    runner->expired = true;
    if (runner->drive.part == RECOVERY_SWEEP)
        return; /* it has a bound of its own */
    aside_stop(&runner->aside);
    if (runner->step)
        step_expire(runner->step);
    else if (!phase_record_hurry(&runner->record) && !runner->committing)
        next(runner);
}

int runner_start(struct loop *loop, const struct runner_request *request, struct runner **out,
                 struct error *err)
{
    AUTO_FREE char *folder = layout_run(request->state, request->run_id);
    AUTO_FREE char *store = layout_store(request->state);
    struct runner *runner = xcalloc(1, sizeof *runner);
    runner->loop = loop;
    runner->request = *request;
    runner->drive = (struct recovery_drive)RECOVERY_DRIVE_INIT;
    runner->exit_code = -1;
    runner->birth = (struct run_birth){request->fresh, moment_wall()};
    runner->started_monotonic = moment_monotonic();
    if (file_make_dirs(folder, 0700, err) < 0 ||
        run_context_enter(&runner->context, request, folder, err) < 0) {
        free(runner);
        return -1;
    }
    if (sink_open(loop, store, folder, &runner->sink, err) < 0) {
        run_context_leave(&runner->context);
        run_context_free(&runner->context);
        free(runner);
        return -1;
    }
    progress_begin(&runner->progress, request);
    phase_record_begin(&runner->record, loop, &runner->context, runner->sink, on_recorded, runner);
    runner->deadline = loop_timer(loop, on_deadline, runner);
    runner->pause = loop_timer(loop, on_pause_over, runner);
    runner->ahead = loop_timer(loop, on_ahead, runner);
    if (request->machine && request->target)
        recovery_read_owed(&runner->drive.recovery, store, request->machine);
    timer_arm(runner->deadline,
              request->target ? request->target->deadline_ns : DEFAULT_RUN_DEADLINE_S * NS_PER_S);
    *out = runner;
    struct event event = run_rows_begin(&runner->context, &runner->birth);
    commit(runner, &event, on_begun);
    return 0;
}

void runner_cancel(struct runner *runner)
{
    runner->cancelled = true;
    runner->cancels++;
    sink_hurry(runner->sink);
    /* A look at the host is bounded, and what it finds belongs to what is being cancelled. */
    if (runner->drive.part == RECOVERY_SWEEP && runner->cancels == 1)
        return;
    aside_stop(&runner->aside);
    if (runner->step) {
        step_cancel(runner->step);
    } else if (!phase_record_hurry(&runner->record) && !runner->committing) {
        timer_arm(runner->pause, 0); /* it was the pause before a further attempt */
    }
}

pid_t runner_child(const struct runner *runner)
{
    return runner && runner->step ? step_child(runner->step) : -1;
}

int runner_finish(struct runner *runner, char **message)
{
    AUTO_ERROR err = ERROR_INIT;
    bool closed = sink_close(runner->sink, &err) == 0;
    int code = runner->store_failed || !closed ? runner->request.exit_code(OUTCOME_CRASHED, NULL, false)
                                               : runner->exit_code;
    timer_free(&runner->deadline);
    timer_free(&runner->pause);
    timer_free(&runner->ahead);
    aside_stop(&runner->aside);
    recovery_free(&runner->drive.recovery);
    contact_free(&runner->contact);
    phase_record_free(&runner->record);
    progress_free(&runner->progress);
    free(runner->ending.message);
    run_context_free(&runner->context);
    *message = closed || runner->message ? TAKE(runner->message) : xstrdup(error_text(&err));
    free(runner);
    return code;
}
