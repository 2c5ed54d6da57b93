#include "action/runner.h"

#include "action/item.h"
#include "action/provider.h"
#include "action/recovery.h"
#include "action/recovery_rows.h"
#include "action/stage.h"
#include "action/step.h"
#include "action/used_files.h"
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "data/layout.h"
#include "data/run_plan.h"

#include <string.h>
#include <unistd.h>

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
    struct item_context item; /* what items read and leave: machine, transport, folders */
    struct item_list items;
    size_t at;   /* the item that runs or is next */
    int seq;     /* of the last step */
    int attempt; /* of the phase at `at` */
    int transport_attempts;
    struct item_attempt *attempt_now;
    struct json *owed; /* handlers that earlier attempts of the phase owe */
    struct json *plan; /* of the run's row; NULL: no resume can go by it */
    struct json *used; /* files of the phase that runs, as they are at its begin */
    struct recovery recovery;
    enum recovery_part part;  /* that runs as a stage; RECOVERY_OVER: none */
    int parts[RECOVERY_OVER]; /* of each so far; all sweeps count as one */
    char *session, *boot;     /* of the connection verified last; NULL: not known */
    bool drop_masters;        /* they may lead nowhere: the next transport is to open its own */
    int cancels;
    struct {
        bool set;
        enum outcome outcome;
        char *message;
    } ending;                        /* how the run ends once the host was looked at */
    int64_t host_ticks, verified_ns; /* of that connection, as in struct transport_result */
    int64_t step_started_ns;         /* monotonic */
    const struct phase
        *reboots_before; /* the one behind which the next transport may find another boot; NULL: none */
    struct timer *deadline, *pause, *ahead;
    bool cancelled, expired, fresh, changed;
    bool committing; /* waits for the store: its answer goes on, nothing else may */
    int64_t started_ns, started_monotonic;
    enum outcome outcome;
    const char *stage; /* that ended it; NULL: a phase */
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

static struct event machine_row(struct runner *runner)
{
    return (
        struct event){.kind = EVENT_MACHINE, .run = runner->request.run_id, .machine = runner->item.machine};
}

static void note(struct runner *runner, const char *kind, struct json *detail)
{
    AUTO_FREE char *text = json_compact(detail);
    struct event event = {.kind = EVENT_NOTE,
                          .run = runner->request.run_id,
                          .step = runner->seq,
                          .note = {.kind = kind, .detail = text, .at_ns = moment_wall()}};
    sink_put(runner->sink, &event);
    json_free(detail);
}

static struct event run_row(struct runner *runner, enum event_kind kind)
{
    const struct runner_request *request = &runner->request;
    return (struct event){
        .kind = kind,
        .run = request->run_id,
        .of_run = {.id = request->run_id,
                   .kind = request->kind,
                   .target = request->target_name,
                   .recipe = request->target ? request->target->recipe : NULL,
                   .provider = runner->item.machine ? runner->item.machine->provider
                               : request->target    ? request->target->provider
                                                    : "none",
                   .project = request->project_name,
                   .group_id = request->group_id,
                   .parent_id = request->parent_id,
                   .machine_id = runner->item.machine ? runner->item.machine->id : NULL,
                   .ansible = request->ansible_version,
                   .partial = request->partial,
                   .fresh = runner->fresh,
                   .extra_digest = request->extra_digest,
                   .plan = kind == EVENT_RUN_BEGIN ? request->plan : NULL,
                   .pid = getpid(),
                   .pid_start = process_start_time(getpid()),
                   .boot_id = runner->item.boot_id,
                   .node = runner->item.node,
                   .started_ns = runner->started_ns,
                   .outcome = OUTCOME_NONE,
                   .exit_code = -1},
    };
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
    runner->outcome = outcome;
    runner->stage = stage;
    free(runner->message);
    runner->message = xstrdup_or_null(message);
    item_leave(&runner->item);
    AUTO_ERROR err = ERROR_INIT;
    if (scope_end(&runner->item.run_scope, MASTERS_BOUND_S * NS_PER_S, &err) < 0)
        note(runner, "survivors", json_new_string(error_text(&err)));
    bool found_changes = runner->request.check_idempotent && runner->changed && outcome == OUTCOME_OK;
    runner->exit_code = runner->request.exit_code(outcome, stage, found_changes);
    struct event event = run_row(runner, EVENT_RUN_END);
    event.of_run.duration_ns = moment_monotonic() - runner->started_monotonic;
    event.of_run.outcome = outcome;
    event.of_run.exit_code = runner->exit_code;
    event.of_run.message = runner->message;
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

static bool retries(const struct runner *runner, const struct item *item, enum outcome outcome)
{
    return item->phase && runner->attempt < item->phase->attempts && !runner->cancelled && !runner->expired &&
           words_have(&item->phase->retry_on, outcome_name(outcome));
}

static void take_connection(struct runner *runner, const struct json *result)
{
    const char *boot = json_get_string(result, "boot", NULL);
    const struct item *item = &runner->items.items[runner->at];
    /* A phase that reboots its host has left the list of items when its successor finds the new boot. */
    const struct phase *phase = runner->reboots_before ? runner->reboots_before : item->phase;
    if (boot && runner->boot && !text_is(boot, runner->boot))
        recovery_write_reboot(runner->sink, runner->request.run_id, runner->seq, phase, runner->boot, boot);
    runner->reboots_before = NULL;
    runner->drop_masters = false;
    free(runner->session);
    runner->session = xstrdup_or_null(json_get_string(result, "session", NULL));
    runner->host_ticks = json_get_integer(result, "host_ticks", 0);
    runner->verified_ns = json_get_integer(result, "at_ns", 0);
    if (boot) {
        free(runner->boot);
        runner->boot = xstrdup(boot);
    }
}

static void take_result(struct runner *runner)
{
    struct item_attempt *attempt = runner->attempt_now;
    if (!attempt->result)
        return;
    AUTO_MACHINE *machine = machine_from_json(json_get(attempt->result, "machine"));
    if (machine && machine->id) {
        bool newly_made = !runner->item.machine->made_ns && machine->made_ns;
        runner->fresh |= newly_made;
        machine_free(runner->item.machine);
        runner->item.machine = TAKE(machine);
        struct event event = machine_row(runner);
        sink_put(runner->sink, &event);
    }
    const char *transport = json_get_string(attempt->result, "transport", NULL);
    if (transport) {
        item_took_transport(&runner->item, transport, json_get_string(attempt->result, "control_path", NULL),
                            json_get(attempt->result, "evidence"));
        take_connection(runner, attempt->result);
    }
}

/* The run ends so, after the host was looked at where that is due. */
static void end(struct runner *runner, enum outcome outcome, const char *stage, const char *message)
{
    if (recovery_next(&runner->recovery) != RECOVERY_SWEEP) {
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
    enum recovery_part part = runner->part;
    runner->part = RECOVERY_OVER;
    if (part != RECOVERY_ASYNC)
        recovery_write(&runner->recovery, runner->sink, result, runner->cancels > 1 ? twice : message);
    int jobs = (int)json_get_integer(result, "jobs", 0);
    if (jobs > 0) {
        struct json *detail = json_new_object();
        json_set_integer(detail, "jobs", jobs);
        json_set(detail, "ids", json_keep(json_get(result, "job_ids")));
        note(runner, "async", detail);
    }
    recovery_ended(&runner->recovery, part, outcome == OUTCOME_OK, jobs);
    next(runner);
}

static void retry(struct runner *runner, enum outcome outcome)
{
    const struct phase *phase = runner->items.items[runner->at].phase;
    struct json *detail = json_new_object();
    json_set_string(detail, "phase", phase->name);
    json_set_integer(detail, "next_attempt", runner->attempt + 1);
    json_set_string(detail, "because", outcome_name(outcome));
    note(runner, "retry", detail);
    runner->attempt++;
    next(runner);
}

/* The files of the phase as they are now; NULL where nobody will ask. */
static struct json *look_at_files(const struct runner *runner, const struct phase *phase,
                                  const struct words *ran)
{
    const struct runner_request *request = &runner->request;
    struct ansible_settings settings = {0};
    if (!runner->plan || !request->project || request->partial ||
        ansible_settings_read(request->project, NULL, &settings, NULL) < 0)
        return NULL;
    struct used_files_request look = {.project = request->project,
                                      .phase = phase,
                                      .config = settings.config,
                                      .transport = runner->item.transport,
                                      .extra = &runner->item.arguments.extra,
                                      .ran = ran};
    struct json *used = used_files_look(&look);
    ansible_settings_free(&settings);
    return used;
}

/* A phase ran whole: a resume need not do it again, as long as what it was made from stays as it is. */
static void remember_phase(struct runner *runner, const struct phase *phase, const struct words *ran)
{
    struct json *used = look_at_files(runner, phase, ran);
    if (used && runner->used) {
        used_files_mark_changed(used, runner->used);
        run_plan_done(runner->plan, phase, used);
        AUTO_FREE char *text = json_compact(runner->plan);
        struct event event = {.kind = EVENT_RUN_PLAN,
                              .run = runner->request.run_id,
                              .of_run = {.plan = text}};
        sink_put(runner->sink, &event);
    } else {
        json_free(used);
    }
    json_free(TAKE(runner->used));
}

static void on_step_over(void *context, bool started, const struct step_end *over)
{
    struct runner *runner = context;
    const struct item *item = &runner->items.items[runner->at];
    const char *stage = runner->attempt_now->stage;
    struct step *step = TAKE(runner->step);
    enum outcome outcome = over->verdict.outcome;
    AUTO_FREE char *message = xstrdup_or_null(over->verdict.message),
                   *store_failure = xstrdup_or_null(over->store_failure);
    struct json *owed = NULL;
    AUTO_WORDS ran = WORDS_INIT; /* files of tasks */
    if (started) {
        words_add_list(&ran, words_argv(&over->tally->files));
        take_result(runner);
        owed = tally_owed(over->tally, false);
        runner->changed |= over->tally->changed > 0;
        if (over->by != ENDED_BY_ITSELF && over->by != ENDED_BY_CANCEL) {
            struct json *detail = json_new_object();
            json_set_string(detail, "watchdog", outcome_name(outcome));
            json_set_string(detail, "task", over->tally->task);
            json_set_string(detail, "host", over->tally->task_host);
            json_set_string(detail, "path", over->tally->task_path);
            note(runner, "watchdog", detail);
        }
    }
    bool stored = started && over->stored;
    AUTO_JSON *result = runner->attempt_now->result ? json_keep(runner->attempt_now->result) : NULL;
    item_attempt_free(TAKE(runner->attempt_now));
    step_free(step);

    if (!started || !stored) {
        json_free(owed);
        store_broke(runner, started ? "the end of the step" : "the begin of the step", store_failure);
        return;
    }
    if (runner->part != RECOVERY_OVER) {
        json_free(owed);
        on_part_over(runner, outcome, result, message);
        return;
    }
    bool again = !stage && retries(runner, item, outcome);
    if (!stage) {
        json_free(runner->owed);
        runner->owed = TAKE(owed);
        recovery_broke(
            &runner->recovery, outcome, again, runner->cancels < 2, runner->request.run_id, runner->seq,
            &(struct recovery_link){runner->session, runner->boot, runner->host_ticks, runner->verified_ns},
            runner->step_started_ns);
        if (runner->cancels > 1)
            recovery_write_skipped(&runner->recovery, runner->sink, twice);
    } else if (text_is(stage, "transport")) {
        recovery_ended(&runner->recovery, RECOVERY_TRANSPORT, outcome == OUTCOME_OK, 0);
    }
    json_free(owed);
    if (outcome == OUTCOME_OK && !stage)
        remember_phase(runner, item->phase, &ran);
    if (outcome == OUTCOME_OK && !runner->cancelled && !runner->expired) {
        if (!stage) {
            if (item->phase->network_churn || item->phase->reboots) {
                item_forget(&runner->item);
                runner->drop_masters = true;
                runner->reboots_before = item->phase;
            }
            json_free(runner->owed);
            runner->owed = NULL;
            runner->attempt = 1;
            runner->at++;
        } else if (!item->phase) {
            runner->at++;
        }
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
    return item_judge(runner->attempt_now, evidence);
}

static void look_ahead(struct runner *runner, size_t from)
{
    for (size_t i = from; i < runner->items.count; i++) {
        if (!runner->items.items[i].phase)
            continue;
        item_look_ahead(&runner->item, runner->items.items[i].phase);
        return;
    }
}

static void on_ahead(void *context)
{
    struct runner *runner = context;
    look_ahead(runner, runner->at + 1);
}

static void start(struct runner *runner, const char *stage, const struct item *item)
{
    AUTO_ERROR err = ERROR_INIT;
    const struct phase *phase = stage ? NULL : item->phase;
    if (text_is(stage, "transport") && runner->drop_masters) {
        json_free(runner->item.recovery);
        runner->item.recovery = json_new_object();
        json_set_bool(runner->item.recovery, "drop_masters", true);
    }
    enum recovery_part part = runner->part == RECOVERY_MAKE_UP ? RECOVERY_SWEEP : runner->part;
    int attempt = runner->attempt;
    if (stage)
        attempt = part != RECOVERY_OVER ? ++runner->parts[part]
                  : item->phase         ? ++runner->transport_attempts
                                        : 1;
    runner->seq++;
    runner->step_started_ns = moment_monotonic();
    if (item_prepare(&runner->item, stage, phase, item->phase, runner->seq, attempt, runner->owed,
                     &runner->attempt_now, &err) < 0 ||
        step_start(runner->loop, runner->sink, &runner->attempt_now->plan, judge, on_step_over, runner,
                   &runner->step, &err) < 0) {
        item_attempt_free(TAKE(runner->attempt_now));
        runner->seq--;
        json_free(TAKE(runner->item.recovery));
        if (runner->part != RECOVERY_OVER) {
            on_part_over(runner, OUTCOME_FAILED, NULL, error_text(&err));
            return;
        }
        error_prefix(&err, "cannot begin %s", stage ? stage : phase->name);
        finish(runner, err.kind == ERROR_PROJECT ? OUTCOME_INVALID : OUTCOME_FAILED, stage, error_text(&err));
        return;
    }
    if (phase) {
        json_free(runner->used);
        runner->used = look_at_files(runner, phase, NULL);
    }
    json_free(TAKE(runner->item.recovery));
    if (phase)
        timer_arm(runner->ahead, AHEAD_MS * NS_PER_MS);
    else if (!runner->ending.set)
        look_ahead(runner, runner->at);
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
    if (item_announce(&runner->item, &err) < 0) {
        finish(runner, OUTCOME_FAILED, "provision", error_text(&err));
        return;
    }
    struct event event = machine_row(runner);
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
    const struct item *item = &runner->items.items[runner->at];
    struct item_context *context = &runner->item;
    runner->part = part;
    json_free(context->recovery);
    context->recovery = recovery_request(&runner->recovery, part, runner->request.run_id, item->phase);
    context->recovery_bound =
        recovery_bound(part, runner->request.target, item->phase, runner->cancelled, left_of_run(runner));
    start(runner, recovery_stage(part), item);
}

/* Whether something of a recovery comes before whatever else there is to do; it was started then. */
static bool recovers(struct runner *runner)
{
    enum recovery_part part = recovery_next(&runner->recovery);
    switch (part) {
    case RECOVERY_SWEEP:
    case RECOVERY_ASYNC:
    case RECOVERY_MAKE_UP:
        start_part(runner, part);
        return true;
    case RECOVERY_PAUSE:
        recovery_ended(&runner->recovery, part, true, 0);
        item_forget(&runner->item); /* transport and facts are to be found anew */
        timer_arm(runner->pause, runner->items.items[runner->at].phase->retry_pause_ns);
        return true;
    case RECOVERY_TRANSPORT:
    case RECOVERY_OVER:
        break; /* a phase without a transport asks for one, whyever it has none */
    }
    return false;
}

static void next(struct runner *runner)
{
    if (recovery_next(&runner->recovery) == RECOVERY_SWEEP && recovers(runner))
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
    if (runner->at == runner->items.count) {
        finish(runner, OUTCOME_OK, NULL, NULL);
        return;
    }
    if (recovers(runner))
        return;
    const struct item *item = &runner->items.items[runner->at];
    if (item->phase && !item_has_transport(&runner->item, item->phase))
        start(runner, "transport", item);
    else if (item->phase)
        start(runner, NULL, item);
    else if (text_is(item->stage, "provision") && !runner->item.machine)
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
    if (runner->part == RECOVERY_SWEEP)
        return; /* it has a bound of its own */
    if (runner->step)
        step_expire(runner->step);
    else if (!runner->committing)
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
    runner->attempt = 1;
    runner->part = RECOVERY_OVER;
    runner->exit_code = -1;
    runner->started_ns = moment_wall();
    runner->started_monotonic = moment_monotonic();
    if (file_make_dirs(folder, 0700, err) < 0 || item_enter(&runner->item, request, folder, err) < 0) {
        free(runner);
        return -1;
    }
    if (sink_open(loop, store, folder, &runner->sink, err) < 0) {
        item_leave(&runner->item);
        item_context_free(&runner->item);
        free(runner);
        return -1;
    }
    item_list_make(request, &runner->items);
    runner->plan = request->plan ? json_parse(request->plan, strlen(request->plan), NULL) : NULL;
    runner->fresh = request->fresh;
    for (size_t i = 0; request->owed && i < runner->items.count; i++)
        if (runner->items.items[i].phase) {
            bool same = text_is(runner->items.items[i].phase->name, request->owed_at);
            runner->owed = same ? json_keep((struct json *)(uintptr_t)request->owed) : NULL;
            break;
        }
    runner->deadline = loop_timer(loop, on_deadline, runner);
    runner->pause = loop_timer(loop, on_pause_over, runner);
    runner->ahead = loop_timer(loop, on_ahead, runner);
    if (request->machine && request->target)
        recovery_read_owed(&runner->recovery, store, request->machine);
    timer_arm(runner->deadline,
              request->target ? request->target->deadline_ns : DEFAULT_RUN_DEADLINE_S * NS_PER_S);
    *out = runner;
    struct event event = run_row(runner, EVENT_RUN_BEGIN);
    commit(runner, &event, on_begun);
    return 0;
}

void runner_cancel(struct runner *runner)
{
    runner->cancelled = true;
    runner->cancels++;
    /* A look at the host is bounded, and what it finds belongs to what is being cancelled. */
    if (runner->part == RECOVERY_SWEEP && runner->cancels == 1)
        return;
    if (runner->step) {
        step_cancel(runner->step);
    } else if (!runner->committing) {
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
    json_free(runner->owed);
    json_free(runner->plan);
    json_free(runner->used);
    recovery_free(&runner->recovery);
    free(runner->session);
    free(runner->boot);
    free(runner->ending.message);
    item_list_free(&runner->items);
    item_context_free(&runner->item);
    *message = closed || runner->message ? TAKE(runner->message) : xstrdup(error_text(&err));
    free(runner);
    return code;
}
