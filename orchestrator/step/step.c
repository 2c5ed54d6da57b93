#include "step/step.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "redact/sealed.h"
#include "step/last_look.h"
#include "step/lines.h"
#include "step/processes.h"
#include "step/rows.h"
#include "step/unreachable.h"
#include "step/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LOG_TAIL = 8192,
    LINGER_MS = 300,  /* what the main process left behind may end by itself for so long */
    KILL_BOUND_S = 5, /* then what survives KILL is counted and said */
};

enum state {
    OPENING,     /* its row is on its way to disk; nothing of it runs */
    ARMING,      /* the host is asked to keep its way back (confirm); nothing else of it runs */
    RUNNING,     /* its process runs, under watchdogs */
    LOOKING,     /* it is to be ended: what goes on is looked at first; everything runs still */
    LINGERING,   /* the main process has ended by itself; the rest of the scope has a moment to do so too */
    TERMINATING, /* all in the scope were sent TERM and have the grace */
    KILLING,     /* all were sent KILL */
    PROVING,     /* nothing of it runs; a new connection proves the way in, or the host puts itself back */
    CLOSING,     /* nothing of it runs, or it cannot be ended; its end is on its way to disk */
    OVER,        /* whoever started it was told */
    STATE_COUNT
};
enum input {
    COMMITTED, /* the row that is awaited is on disk */
    NOT_COMMITTED,
    ARMED,
    PROVEN,      /* what became of its `confirm` is known */
    ROLLED_BACK, /* the host has put itself back under it */
    MAIN_ENDED,
    EMPTY,    /* nothing is left in the scope */
    WATCHDOG, /* it is to be ended: `by` says by what */
    LOOKED,
    CANCEL,
    CANCEL_NOW,
    BOUND, /* the time of the state is over */
    INPUT_COUNT
};

struct step {
    struct loop *loop;
    struct sink *sink;
    struct step_order plan;
    step_judge *judge;
    step_over *over;
    void *context;

    enum state state;
    enum ended_by by;
    struct step_birth birth;
    struct step_processes *processes;
    struct scope *scope; /* theirs */
    struct step_lines *lines;
    struct child_end child_end;
    bool main_ended, cancelled_once;
    struct watchdogs *watchdogs;
    struct transport_watch *transport_watch;
    struct last_look *last_look;
    struct confirm *confirm; /* NULL: it has none, or not yet */
    bool looked_at;          /* there is an event that says what was going on */
    struct timer *bound;
    int survivors;
    struct verdict verdict;
    const char *store_failure;
    char *not_started; /* why, for where the log cannot say it */
    bool stored;
};

static void feed(struct step *step, enum input input);

static void on_store(void *context, bool committed, const char *failure)
{
    struct step *step = context;
    if (!committed)
        step->store_failure = failure;
    feed(step, committed ? COMMITTED : NOT_COMMITTED);
}

/* Sources of input. */

static void on_main_ended(void *context, const struct child_end *end)
{
    struct step *step = context;
    step->child_end = *end;
    step->main_ended = true;
    feed(step, MAIN_ENDED);
}

static void on_empty(void *context)
{
    feed(context, EMPTY);
}

static void on_bound(void *context)
{
    feed(context, BOUND);
}

/* Whatever strikes once all tasks have ended finds a process that does not leave. */
static void on_watchdog(void *context, enum ended_by which)
{
    struct step *step = context;
    if (step->by == ENDED_BY_ITSELF) {
        step->by = step_lines_tally(step->lines)->end ? ENDED_BY_STAYING : which;
        step_lines_stand(step->lines, which == ENDED_BY_TRANSPORT ? step->plan.host : NULL);
    }
    feed(step, WATCHDOG);
}

/* The ledger has it like an UNREACHABLE of Ansible's, which was not let come to one; the path is the
 * target's, whoever else has a task at the moment. */
static void on_transport(void *context)
{
    struct step *step = context;
    const struct task_now *now = step_lines_now(step->lines);
    const struct task_run *run = task_now_on(now, step->plan.host);
    AUTO_FREE char *words = transport_watch_words(step->transport_watch), *host = task_now_hosts(now, run);
    if (step->state == RUNNING)
        unreachable_put_path(step->sink,
                             &(struct unreachable_path){.run = step->plan.run,
                                                        .step = step->plan.seq,
                                                        .host = step->plan.host ? step->plan.host : host,
                                                        .task = run ? run->task : NULL,
                                                        .transport = step->plan.transport,
                                                        .words = words});
    on_watchdog(step, ENDED_BY_TRANSPORT);
}

static void on_path(void *context, int direct, struct json *detail, int64_t at_ns)
{
    struct step *step = context;
    json_set_integer(detail, "step", step->plan.seq);
    AUTO_FREE char *text = json_compact(detail);
    sink_put(step->sink,
             &(struct event){.kind = EVENT_SAMPLE,
                             .run = step->plan.run,
                             .step = step->plan.seq,
                             .sample = {.kind = "path", .healthy = direct, .detail = text, .at_ns = at_ns}});
}

static void on_confirm(void *context, enum confirm_news news)
{
    struct step *step = context;
    if (news == CONFIRM_NEWS_BACK && step->by == ENDED_BY_ITSELF && !step->main_ended)
        step->by = ENDED_BY_ROLLBACK;
    feed(step, news == CONFIRM_NEWS_ARMED ? ARMED : news == CONFIRM_NEWS_BACK ? ROLLED_BACK : PROVEN);
}

static void on_looked(void *context)
{
    struct step *step = context;
    step->looked_at = true;
    last_look_stop(&step->last_look);
    feed(step, LOOKED);
}

static void stop_watching(struct step *step)
{
    watchdogs_stop(&step->watchdogs);
    step_lines_unwatched(step->lines);
    transport_watch_end(step->transport_watch);
}

/* Actions: each does one thing and names the next state. */

static void fail_to_start(struct step *step, const char *why)
{
    step->child_end = (struct child_end){.exited = true, .code = -1};
    step->main_ended = true;
    step->not_started = xstrdup(why);
    int fd = open(step->plan.log, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd >= 0) {
        dprintf(fd, "ERROR %s\n", why);
        close(fd);
    }
}

static enum state close_step(struct step *step);

static enum state start(struct step *step)
{
    if (step->by != ENDED_BY_ITSELF) {
        fail_to_start(step, "ended before it began");
        return close_step(step);
    }
    AUTO_ERROR err = ERROR_INIT;
    AUTO_CLOSE int log = open(step->plan.log, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    if (log < 0) {
        error_system(&err, errno, "cannot open the step's log %s", step->plan.log);
        fail_to_start(step, error_text(&err));
        return close_step(step);
    }
    struct child_plan child = step->plan.child;
    child.in = -1;
    child.out = child.error = log;
    /* Its time begins with its process, however long the row before it took. */
    step->birth.started_ns = moment_wall();
    step->birth.started_monotonic_ns = moment_monotonic();
    if (step_lines_follow(step->lines, step->loop, &err) < 0 ||
        step_processes_start(step->processes, &child, step->plan.spare, &err) < 0)
        goto failed;
    if (watchdogs_start(step->loop, &step->plan.limits, step->plan.log, on_watchdog, step, &step->watchdogs,
                        &err) < 0) {
        step_processes_abandon(step->processes);
        goto failed;
    }
    step->transport_watch =
        transport_watch_start(step->loop, &step->plan.transport_watch, on_transport, on_path, step);
    step_lines_watched(step->lines, step->watchdogs, step->transport_watch);
    return RUNNING;
failed:
    fail_to_start(step, error_text(&err));
    return close_step(step);
}

static enum state begin(struct step *step)
{
    const struct step_order *plan = &step->plan;
    if (!plan->confirm.host.time_ns || step->by != ENDED_BY_ITSELF)
        return start(step);
    step->confirm = confirm_begin(step->loop, step->sink, plan->run_scope, &plan->confirm, plan->run,
                                  plan->seq, on_confirm, step);
    return ARMING;
}

static enum state close_row(struct step *step);

/* Its process was never to start. */
static enum state not_armed(struct step *step)
{
    fail_to_start(step, confirm_seen(step->confirm)->words);
    return close_row(step);
}

static enum state abandon(struct step *step)
{
    confirm_drop(step->confirm);
    fail_to_start(step, "ended before it began");
    return close_row(step);
}

static enum state give_up(struct step *step)
{
    (void)step;
    return OVER;
}

static void keep_async_jobs(struct step *step)
{
    if (step->plan.is_async && step->plan.run_scope)
        scope_move(step->scope, step->plan.run_scope, step->plan.is_async, NULL);
}

static enum state terminate(struct step *step);

/* Before anything is ended; a look that cannot be taken holds nothing up. */
static enum state look(struct step *step)
{
    struct forensics_plan *plan = &step->plan.forensics;
    struct json *facts = last_look_facts(
        &(struct last_look_known){step->by, step_lines_now(step->lines), step->plan.host, step->watchdogs,
                                  step->transport_watch, step->birth.started_monotonic_ns});
    stop_watching(step);
    plan->scope = step->scope;
    plan->run_scope = step->plan.run_scope;
    plan->run = step->plan.run;
    plan->log = step->plan.log;
    if (last_look_start(step->loop, step->sink, plan, step->plan.seq, facts, on_looked, step,
                        &step->last_look) < 0)
        return terminate(step);
    return LOOKING;
}

static enum state linger(struct step *step)
{
    stop_watching(step);
    keep_async_jobs(step);
    if (!scope_populated(step->scope))
        return close_step(step);
    timer_arm(step->bound, LINGER_MS * NS_PER_MS);
    step_processes_await_empty(step->processes);
    return LINGERING;
}

static enum state terminate(struct step *step)
{
    stop_watching(step);
    keep_async_jobs(step);
    if (step->main_ended && !scope_populated(step->scope))
        return close_step(step);
    scope_signal(step->scope, SIGTERM, NULL);
    timer_arm(step->bound, step->plan.limits.grace_ns);
    step_processes_await_empty(step->processes);
    return TERMINATING;
}

static enum state kill_all(struct step *step)
{
    stop_watching(step);
    last_look_stop(&step->last_look);
    if (step->scope->kind == SCOPE_MARKER) /* its questions would be counted among what survives */
        confirm_pause(step->confirm);
    scope_kill(step->scope, NULL);
    timer_arm(step->bound, KILL_BOUND_S * NS_PER_S);
    step_processes_await_empty(step->processes);
    return KILLING;
}

/* KILL's bound passed: what is left cannot be ended (it hangs in the kernel). The row will say so. */
static enum state count_survivors(struct step *step)
{
    int members = scope_members(step->scope, NULL, NULL);
    step->survivors = members > 0 ? members : 0;
    return close_step(step);
}

/* In a state in which the main process is still there, its own end alone is not the end of the scope. */
static enum state see_whether_empty(struct step *step)
{
    return scope_populated(step->scope) ? step->state : close_step(step);
}

/* What it was given is known. */
static void read_tail(const struct step *step, struct text *out)
{
    struct redact_rules *rules = redact_rules_new();
    for (const int *fd = step->plan.forensics.secrets; fd && *fd >= 0; fd++)
        redact_sealed_add(rules, *fd);
    redact_tail(rules, step->plan.log, LOG_TAIL, out, NULL);
    redact_rules_free(rules);
}

/* Whatever ended it: a phase that failed may have closed the way in too. */
static enum state close_step(struct step *step)
{
    stop_watching(step);
    timer_disarm(step->bound);
    step_processes_await_nothing(step->processes);
    return confirm_end(step->confirm) ? PROVING : close_row(step);
}

static enum state stop_proving(struct step *step)
{
    confirm_drop(step->confirm);
    return close_row(step);
}

static enum state close_row(struct step *step)
{
    stop_watching(step);
    step_lines_drain(step->lines);
    if (step->by == ENDED_BY_ITSELF)
        step_lines_stand(step->lines, NULL);
    const struct tally *tally = step_lines_tally(step->lines);
    AUTO_TEXT tail = TEXT_INIT;
    read_tail(step, &tail);
    AUTO_FREE char *path_words = transport_watch_words(step->transport_watch);
    struct evidence evidence = {.by = step->by,
                                .end = &step->child_end,
                                .tally = tally,
                                .out_of_memory = step_processes_oom(step->processes),
                                .only_looks = step->plan.only_looks,
                                .lost_handlers_warn = step->plan.lost_handlers_warn,
                                .log_tail = step->not_started && !tail.length ? step->not_started
                                                                              : text_string(&tail),
                                .path_cause = path_state_cause(transport_watch_state(step->transport_watch)),
                                .path_words = path_words,
                                .confirm = confirm_seen(step->confirm),
                                .looked_at = step->looked_at ? id_tail(step->plan.run, 8) : NULL};
    step->verdict = step->judge(step->context, &evidence);
    AUTO_FREE char *owed = step_lines_owed(step->lines);
    struct step_result result = {.verdict = &step->verdict,
                                 .child = &step->child_end,
                                 .tally = tally,
                                 .by = step->by,
                                 .survivors = step->survivors,
                                 .cpu_usec = scope_cpu_usec(step->scope),
                                 .event_bytes = step_lines_bytes(step->lines),
                                 .handlers_owed = owed};
    struct event event = step_rows_end(&step->plan, &step->birth, &result);
    sink_commit(step->sink, &event, on_store, step);
    if (!step->survivors)
        scope_remove(step->scope, NULL);
    return CLOSING;
}

static enum state finish_stored(struct step *step)
{
    step->stored = true;
    return OVER;
}

static enum state ignore(struct step *step)
{
    return step->state;
}

typedef enum state transition(struct step *);

/* State by input. What is not named is ignored: it cannot happen, or changes nothing. */
static transition *const table[STATE_COUNT][INPUT_COUNT] = {
    [OPENING] = {[COMMITTED] = begin, [NOT_COMMITTED] = give_up},
    [ARMING] = {[ARMED] = start, [PROVEN] = not_armed, [CANCEL_NOW] = abandon},
    [RUNNING] = {[MAIN_ENDED] = linger,
                 [ROLLED_BACK] = terminate,
                 [WATCHDOG] = look,
                 [CANCEL] = look,
                 [CANCEL_NOW] = kill_all},
    [LOOKING] = {[LOOKED] = terminate, [CANCEL_NOW] = kill_all},
    [LINGERING] = {[EMPTY] = close_step, [BOUND] = terminate, [CANCEL] = terminate, [CANCEL_NOW] = kill_all},
    [TERMINATING] =
        {[MAIN_ENDED] = see_whether_empty, [EMPTY] = close_step, [BOUND] = kill_all, [CANCEL_NOW] = kill_all},
    [KILLING] = {[MAIN_ENDED] = see_whether_empty, [EMPTY] = close_step, [BOUND] = count_survivors},
    [PROVING] = {[PROVEN] = close_row, [CANCEL_NOW] = stop_proving},
    [CLOSING] = {[COMMITTED] = finish_stored, [NOT_COMMITTED] = give_up},
};

static void feed(struct step *step, enum input input)
{
    transition *next = table[step->state][input];
    bool was_opening = step->state == OPENING;
    step->state = (next ? next : ignore)(step);
    if (step->state != OVER)
        return;
    if (was_opening) {
        step->over(step->context, false, &(struct step_end){.store_failure = step->store_failure});
        return;
    }
    struct step_end end = {
        .verdict = step->verdict,
        .child = step->child_end,
        .tally = step_lines_tally(step->lines),
        .by = step->by,
        .knocked_ns = transport_watch_knocked(step->transport_watch),
        .unanswered = step->by == ENDED_BY_TRANSPORT && transport_watch_is_unanswered(step->transport_watch),
        .unconfirmed = step->confirm && confirm_seen(step->confirm)->became == CONFIRM_BECAME_OPEN,
        .stored = step->stored,
        .store_failure = step->store_failure};
    step->over(step->context, true, &end);
}

/* The callback plugin and ansible-playbook append to files that are there already: made here, new, so that
 * nothing of an earlier step is taken for this one's. */
static int make_file(const char *path, struct error *err)
{
    int fd = file_create(path, O_WRONLY | O_EXCL, 0600);
    if (fd < 0)
        return error_system(err, errno, "cannot make %s", path);
    close(fd);
    return 0;
}

int step_start(struct loop *loop, struct sink *sink, const struct step_order *plan, step_judge *judge,
               step_over *over, void *context, struct step **out, struct error *err)
{
    if (make_file(plan->log, err) < 0 || (plan->events && make_file(plan->events, err) < 0))
        return -1;
    struct step *step = xcalloc(1, sizeof *step);
    step->loop = loop;
    step->sink = sink;
    step->plan = *plan;
    step->judge = judge;
    step->over = over;
    step->context = context;
    const struct step_processes_listener listener = {on_main_ended, on_empty, step};
    if (step_processes_open(loop, plan->scope_name, plan->scope_marker, &listener, &step->processes, err) <
        0) {
        free(step);
        return -1;
    }
    step->scope = step_processes_scope(step->processes);
    step->lines = step_lines_new(sink, &step->plan);
    step->bound = loop_timer(loop, on_bound, step);
    step->birth = (struct step_birth){step->scope->kind, moment_wall(), moment_monotonic()};
    struct event event = step_rows_begin(&step->plan, &step->birth);
    *out = step;
    sink_commit(sink, &event, on_store, step);
    return 0;
}

void step_cancel(struct step *step)
{
    bool again = step->cancelled_once;
    step->cancelled_once = true;
    /* What ended by itself before was not cancelled. */
    if (step->by == ENDED_BY_ITSELF && !step->main_ended) {
        step->by = ENDED_BY_CANCEL;
        step_lines_stand(step->lines, NULL);
    }
    feed(step, again ? CANCEL_NOW : CANCEL);
}

void step_expire(struct step *step)
{
    if (!step->main_ended)
        on_watchdog(step, ENDED_BY_DEADLINE);
}

pid_t step_child(const struct step *step)
{
    return step_processes_main(step->processes);
}

void step_free(struct step *step)
{
    if (!step)
        return;
    watchdogs_stop(&step->watchdogs);
    transport_watch_free(&step->transport_watch);
    last_look_stop(&step->last_look);
    confirm_free(&step->confirm);
    step_lines_free(step->lines);
    timer_free(&step->bound);
    step_processes_free(step->processes);
    verdict_clear(&step->verdict);
    free(step->not_started);
    free(step);
}
