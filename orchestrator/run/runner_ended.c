#include "run/runner_ended.h"

#include "base/memory.h"
#include "base/text.h"
#include "run/confirm_owed.h"
#include "run/runner_close.h"
#include "run/runner_next.h"
#include "stage/confirm_settle.h"

/* What is kept of a step when it and its attempt are gone. */
struct ended {
    const char *stage; /* NULL: a phase */
    enum outcome outcome;
    bool may_leave; /* something on the host */
    bool unanswered;
    char *message;
    struct json *result; /* of the stage */
    struct json *owed;   /* handlers */
    struct words ran;    /* files of tasks */
};

static void ended_clear(struct ended *ended)
{
    free(ended->message);
    json_free(ended->result);
    json_free(ended->owed);
    words_clear(&ended->ran);
}

#define AUTO_ENDED __attribute__((cleanup(ended_clear))) struct ended

/* The machine and the transport that a stage found. */
static void take_result(struct runner *runner, const struct json *result)
{
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
    if (json_get_bool(json_get(result, "evidence"), "key_deleted"))
        join_key_clear(&runner->context.key);
    run_rows_put_samples(runner_notes(runner), &runner->birth, json_get(result, "samples"));
    if (json_get_bool(result, "rebooted")) {
        run_context_forget(&runner->context);
        contact_rebooted(&runner->contact);
        progress_look_again(&runner->progress);
    }
    if (json_get_bool(result, "joined"))
        progress_joined(&runner->progress);
    if (json_get(result, "settled")) {
        confirm_owed_tell(runner->sink, json_get(result, "settled"));
        json_free(TAKE(runner->confirm_owed));
    }
    const char *transport = json_get_string(result, "transport", NULL);
    if (transport) {
        AUTO_FREE char *from = NULL;
        if (way_order_verified(&runner->context.order, transport, json_get(result, "evidence"), &from))
            run_rows_note_switched(runner_notes(runner), from, transport);
        run_context_took_transport(&runner->context, transport, json_get_string(result, "control_path", NULL),
                                   json_get(result, "evidence"));
        contact_verified(&runner->contact, runner->sink, runner->request.run_id, runner->seq,
                         progress_item(&runner->progress)->phase, result);
    }
}

/* Whatever comes of it. */
static void take_over(struct runner *runner, const struct step_end *over, struct ended *ended)
{
    enum outcome outcome = ended->outcome;
    const struct tally *tally = over->tally;
    words_add_list(&ended->ran, words_argv(&tally->files));
    ended->owed = tally_owed(tally, false);
    if (ended->result)
        take_result(runner, ended->result);
    runner->changed |= tally->changed > 0;
    runner->changed_items = runner->changed_done + tally->changed;
    runner->context.async_seen |= tally->async;
    if (over->unconfirmed)
        confirm_owed_add(&runner->confirm_owed, runner->request.run_id, runner->seq);
    if (over->knocked_ns)
        runner->contact.knocked_ns = over->knocked_ns;
    if (outcome == OUTCOME_OK && over->verdict.cause)
        run_rows_note_warning(runner_notes(runner), &over->verdict);
    else if (over->by >= ENDED_BY_WATCHDOG)
        run_rows_note_watchdog(runner_notes(runner), outcome, tally);
}

/* The step and its attempt are freed. */
static struct ended end_step(struct runner *runner)
{
    const struct step_end *over = runner->over;
    struct json *result = runner->attempt->of_stage.result;
    struct ended ended = {.stage = runner->attempt->stage,
                          .outcome = over->verdict.outcome,
                          .may_leave = outcome_may_leave(over->verdict.outcome, over->verdict.cause),
                          .unanswered = over->unanswered,
                          .message = xstrdup_or_null(over->verdict.message),
                          .result = result ? json_keep(result) : NULL,
                          .ran = WORDS_INIT};
    if (runner->begun)
        take_over(runner, over, &ended);
    attempt_free(TAKE(runner->attempt));
    step_free(TAKE(runner->step));
    health_drive_waited(&runner->health);
    return ended;
}

enum runner_state runner_lose_step(struct runner *runner)
{
    AUTO_FREE char *why = xstrdup_or_null(runner->over->store_failure);
    AUTO_ENDED ended = end_step(runner);
    return runner_break(runner, runner->begun ? "the end of the step" : "the begin of the step", why);
}

enum runner_state runner_take_part(struct runner *runner)
{
    AUTO_ENDED ended = end_step(runner);
    return runner_part_over(runner, ended.outcome == OUTCOME_OK, ended.result, ended.message);
}

/* The run ends so, after the host was looked at where that is due. */
static enum runner_state end(struct runner *runner, const struct ended *ended)
{
    const struct phase *phase = ended->stage ? NULL : progress_item(&runner->progress)->phase;
    const struct run_standing standing = {
        .step = {.outcome = ended->outcome,
                 .name = phase ? phase->name : ended->stage,
                 .message = ended->message,
                 .seq = runner->seq,
                 .attempt = runner->progress.attempt,
                 .attempts = phase ? phase->attempts : 0,
                 .retried = progress_retries_on(&runner->progress, ended->outcome)}};
    struct verdict verdict = runner_judge(runner, standing);
    if (recovery_next(&runner->drive.recovery) != RECOVERY_SWEEP)
        return runner_close(runner, verdict, ended->stage);
    runner->ending = verdict;
    return runner_look_last(runner);
}

static enum runner_state retry(struct runner *runner, enum outcome outcome)
{
    progress_retry(&runner->progress);
    run_rows_note_retry(runner_notes(runner), progress_item(&runner->progress)->phase,
                        runner->progress.attempt, outcome);
    return runner_go_on(runner);
}

/* An attempt of a phase ended: it may owe handlers, and the host a look. */
static void take_attempt(struct runner *runner, struct ended *ended, bool again)
{
    const struct recovery_link link = contact_link(&runner->contact);
    const struct phase *phase = progress_item(&runner->progress)->phase;
    if (phase->network_churn || phase->reboots)
        health_drive_renew(&runner->health);
    const char *unlooked = runner_cut_short(runner);
    if (!unlooked && ended->unanswered)
        unlooked = "the path was dead and a new connection got no answer either";
    progress_owe(&runner->progress, TAKE(ended->owed));
    /* A look drops them; where there is none they lead nowhere still. */
    runner->contact.drop_masters |= ended->unanswered;
    runner->drive.recovery.lost =
        ended->outcome == OUTCOME_TRANSPORT_LOST || ended->outcome == OUTCOME_UNREACHABLE;
    if (again && (runner->drive.recovery.lost || ended->outcome == OUTCOME_SILENCE))
        way_order_broke(&runner->context.order, runner->context.transport);
    recovery_drive_broke(&runner->drive, runner_notes(runner), ended->may_leave, again, unlooked, &link,
                         runner->step_started_ns);
}

static bool is_to_end(const struct runner *runner)
{
    return runner->asked.cancels || runner->asked.expired;
}

static enum runner_state item_done(struct runner *runner)
{
    const struct phase *phase = progress_item(&runner->progress)->phase;
    if (phase && (phase->network_churn || phase->reboots)) {
        run_context_forget(&runner->context);
        contact_disturbed(&runner->contact, phase);
    } else if (progress_joins(&runner->progress)) {
        run_context_forget(&runner->context); /* the next one goes another way */
    }
    progress_done(&runner->progress);
    runner->changed_done = runner->changed_items;
    return runner_go_on(runner);
}

enum runner_state runner_item_recorded(struct runner *runner)
{
    return is_to_end(runner) ? runner_go_on(runner) : item_done(runner);
}

static enum runner_state record(struct runner *runner, const struct words *ran)
{
    AUTO_ERROR err = ERROR_INIT;
    if (progress_joins(&runner->progress)) { /* whether it need be done again the tailnet tells */
        phase_record_stop(&runner->record);
        return runner_item_recorded(runner);
    }
    int status = phase_record_ends(&runner->record, ran, &err);
    if (status < 0)
        run_rows_note_unrecorded(runner_notes(runner), progress_item(&runner->progress)->phase,
                                 error_text(&err));
    if (status <= 0)
        return runner_item_recorded(runner);
    if (is_to_end(runner))
        phase_record_hurry(&runner->record);
    return RUN_RECORDING;
}

enum runner_state runner_take_step(struct runner *runner)
{
    AUTO_ENDED ended = end_step(runner);
    enum outcome outcome = ended.outcome;
    bool again = !ended.stage && !is_to_end(runner) && progress_may_retry(&runner->progress, outcome);
    if (!ended.stage)
        take_attempt(runner, &ended, again);
    else if (text_is(ended.stage, "transport"))
        recovery_ended(&runner->drive.recovery, RECOVERY_TRANSPORT, outcome == OUTCOME_OK, 0);
    if (outcome == OUTCOME_OK && !ended.stage)
        return record(runner, &ended.ran);
    if (outcome == OUTCOME_OK && !is_to_end(runner)) /* a transport is for the phase that is next still */
        return text_is(ended.stage, "transport") || text_is(ended.stage, STAGE_CONFIRM) ? runner_go_on(runner)
                                                                                        : item_done(runner);
    if (again)
        return retry(runner, outcome);
    return end(runner, &ended);
}
