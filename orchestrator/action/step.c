#include "action/step.h"

#include "action/task_now.h"
#include "action/watchdog.h"
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "data/line_event.h"
#include "mechanism/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINE_LIMIT = 1 << 20,
    LOG_TAIL = 8192,
    MASTER_TAIL = 2048,
    EXPLAINED_MOST =
        64,           /* a record with more UNREACHABLE than that is not worth a look into a file for each */
    LINGER_MS = 300,  /* what the main process left behind may end by itself for so long */
    KILL_BOUND_S = 5, /* then what survives KILL is counted and said */
    MARKER_POLL_MS = 25, /* a scope without a cgroup has nothing to wait on */
};

enum state { OPENING, RUNNING, LOOKING, LINGERING, TERMINATING, KILLING, CLOSING, OVER, STATE_COUNT };
enum input {
    COMMITTED,
    NOT_COMMITTED,
    MAIN_ENDED,
    EMPTY,
    WATCHDOG,
    LOOKED,
    CANCEL,
    CANCEL_NOW,
    BOUND,
    INPUT_COUNT
};

struct step {
    struct loop *loop;
    struct sink *sink;
    struct step_plan plan;
    step_judge *judge;
    step_over *over;
    void *context;

    enum state state;
    enum ended_by by;
    struct scope scope;
    struct child child;
    struct child_end child_end;
    bool main_ended, cancelled_once;
    struct tally tally;
    struct task_now now;
    struct watchdogs *watchdogs;
    struct transport_watch *transport_watch;
    off_t master_log_from; /* its size when this step began: what stands before it is of others */
    struct forensics *forensics;
    struct json *facts;
    bool looked_at; /* there is an event that says what was going on */
    struct follow *follow;
    struct watch *child_watch, *scope_watch;
    int scope_events;
    struct timer *bound, *poll;
    int64_t started_ns, started_monotonic, ooms_before;
    int survivors;
    struct verdict verdict;
    const char *store_failure;
    char *not_started; /* why, for where the log cannot say it */
    bool stored;
};

static void feed(struct step *step, enum input input);

static int64_t kernel_ooms(void)
{
    AUTO_TEXT vmstat = TEXT_INIT;
    if (file_read("/proc/vmstat", 1 << 20, &vmstat, NULL) < 0)
        return 0;
    const char *at = strstr(text_string(&vmstat), "\noom_kill ");
    return at ? strtoll(at + strlen("\noom_kill "), NULL, 10) : 0;
}

/* The row. */

static struct event row(struct step *step, enum event_kind kind)
{
    const struct step_plan *plan = &step->plan;
    return (struct event){
        .kind = kind,
        .run = plan->run,
        .step = plan->seq,
        .of_step = {.seq = plan->seq,
                    .kind = plan->kind,
                    .name = plan->name,
                    .attempt = plan->attempt,
                    .transport = plan->transport,
                    .evidence = plan->evidence,
                    .scope = scope_kind_name(step->scope.kind),
                    .log = plan->log_shown,
                    .events = plan->events_shown,
                    .started_ns = step->started_ns,
                    .deadline_ns = plan->deadline_ns,
                    .started_monotonic_ns = step->started_monotonic,
                    .exit_code = -1,
                    .signal = -1,
                    .cpu_usec = -1,
                    .survivors_host = -1,
                    .host_evidence = "nobody looked"},
    };
}

static void on_store(void *context, bool committed, const char *failure)
{
    struct step *step = context;
    if (!committed)
        step->store_failure = failure;
    feed(step, committed ? COMMITTED : NOT_COMMITTED);
}

/* Event lines. */

/* What the master has said since this step began, at most MASTER_TAIL of it. */
static int read_master(const struct step *step, struct text *tail)
{
    struct stat now;
    if (stat(step->plan.master_log, &now) < 0 ||
        file_read_tail(step->plan.master_log, MASTER_TAIL, tail, NULL) < 0)
        return -1;
    off_t begin = now.st_size - (off_t)tail->length;
    if (step->master_log_from > begin) {
        off_t old = step->master_log_from - begin;
        text_drop_front(tail, old < (off_t)tail->length ? (size_t)old : tail->length);
    }
    return 0;
}

/* Ansible's message on a connection that broke under a task is empty; the master that carried it wrote why before it let its clients go. One that was killed wrote
 * nothing, and is gone. */
static void explain(struct step *step, struct event *row, struct text *tail, char **words)
{
    if (row->kind != EVENT_UNREACHABLE || !step->plan.master_log ||
        step->tally.unreachable > EXPLAINED_MOST || !line_event_is_vague(row))
        return;
    if (read_master(step, tail) == 0 && tail->length)
        line_event_explain(row, tail->bytes);
    pid_t gone =
        text_is(row->unreachable.cause_source, "message") ? transport_watch_gone(step->transport_watch) : 0;
    if (!gone)
        return;
    *words = xasprintf("the connection's ssh master (pid %d) is gone and did not say why: it was killed",
                       (int)gone);
    row->unreachable.cause = "mux-lost";
    row->unreachable.cause_source = "probe";
    row->unreachable.message = *words;
}

static void on_line(void *context, const char *bytes, size_t length, bool skipped)
{
    struct step *step = context;
    struct line line;
    if (step->watchdogs)
        watchdogs_activity(step->watchdogs);
    if (skipped || line_parse(bytes, length, &line, NULL) < 0) {
        tally_bad_line(&step->tally);
        return;
    }
    tally_line(&step->tally, &line);
    task_now_line(&step->now, &line);
    transport_watch_be_patient(step->transport_watch, step->now.patient);
    if (step->watchdogs) {
        if (line.kind == LINE_TASK_START)
            watchdogs_task(step->watchdogs, true);
        else if (line.kind == LINE_STATS || line.kind == LINE_END)
            watchdogs_task(step->watchdogs, false);
    }
    struct event rows[2];
    AUTO_TEXT tail = TEXT_INIT;
    AUTO_FREE char *words = NULL;
    int count = line_events(&line, step->plan.run, step->plan.seq, step->plan.transport,
                            step->follow ? follow_offset(step->follow) : 0, rows);
    if (count)
        explain(step, &rows[0], &tail, &words);
    for (int i = 0; i < count; i++)
        sink_put(step->sink, &rows[i]);
    line_free(&line);
}

/* Sources of input. */

static void on_child(void *context, uint32_t events)
{
    (void)events;
    struct step *step = context;
    if (child_poll(&step->child, &step->child_end, NULL) != 1)
        return;
    watch_stop(&step->child_watch);
    step->main_ended = true;
    feed(step, MAIN_ENDED);
}

static void look_for_emptiness(struct step *step)
{
    if (step->main_ended && !scope_populated(&step->scope))
        feed(step, EMPTY);
}

static void on_scope(void *context, uint32_t events)
{
    (void)events;
    struct step *step = context;
    /* Reading it is what makes the kernel wait for the next change; unread it would stay ready for ever. */
    char ignored[256];
    ssize_t got = pread(step->scope_events, ignored, sizeof ignored, 0);
    (void)got; /* ENODEV once the cgroup was removed: empty too */
    look_for_emptiness(step);
}

static void on_poll(void *context)
{
    struct step *step = context;
    timer_arm(step->poll, MARKER_POLL_MS * NS_PER_MS);
    look_for_emptiness(step);
}

static void on_bound(void *context)
{
    feed(context, BOUND);
}

static void on_watchdog(void *context, enum ended_by which)
{
    struct step *step = context;
    if (step->by == ENDED_BY_ITSELF)
        step->by = which;
    feed(step, WATCHDOG);
}

static struct event note(struct step *step, enum event_kind kind)
{
    return (struct event){.kind = kind, .run = step->plan.run, .step = step->plan.seq};
}

/* The ledger has it like an UNREACHABLE of Ansible's, which was not let come to one. */
static void on_transport(void *context)
{
    struct step *step = context;
    AUTO_FREE char *words = transport_watch_words(step->transport_watch), *host = task_now_host(&step->now);
    struct event event = note(step, EVENT_UNREACHABLE);
    event.unreachable.host = host ? host : step->plan.host;
    event.unreachable.task = step->now.task;
    event.unreachable.cause = "keepalive-timeout";
    event.unreachable.cause_source = "probe";
    event.unreachable.message = words;
    event.unreachable.transport = step->plan.transport;
    event.unreachable.at_ns = moment_wall();
    if (step->state == RUNNING)
        sink_put(step->sink, &event);
    on_watchdog(step, ENDED_BY_TRANSPORT);
}

static void stop_watching(struct step *step)
{
    watchdogs_stop(&step->watchdogs);
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

static int start_child(struct step *step, const struct child_plan *plan, struct error *err)
{
    if (step->plan.spare && *step->plan.spare && spare_take(step->plan.spare, plan, &step->child, NULL) == 0)
        return 0;
    return child_start(plan, &step->child, err);
}

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
    child.scope = &step->scope;
    struct watchdog_limits limits = {step->plan.deadline_ns, step->plan.silence_ns, step->plan.task_ns,
                                     step->plan.log};
    if (step->plan.events &&
        follow_start(step->loop, step->plan.events, LINE_LIMIT, on_line, step, &step->follow, &err) < 0)
        goto failed;
    if (start_child(step, &child, &err) < 0)
        goto failed;
    step->scope_events = scope_events_fd(&step->scope);
    /* From here on something runs: what fails now ends it. */
    if (loop_watch(step->loop, step->child.pidfd, EPOLLIN, on_child, step, &step->child_watch, &err) < 0 ||
        (step->scope_events >= 0 && loop_watch(step->loop, step->scope_events, EPOLLPRI, on_scope, step,
                                               &step->scope_watch, &err) < 0) ||
        watchdogs_start(step->loop, &limits, on_watchdog, step, &step->watchdogs, &err) < 0) {
        scope_end(&step->scope, KILL_BOUND_S * NS_PER_S, NULL);
        child_poll(&step->child, &step->child_end, NULL);
        goto failed;
    }
    struct stat before;
    if (step->plan.master_log && stat(step->plan.master_log, &before) == 0)
        step->master_log_from = before.st_size;
    step->transport_watch =
        transport_watch_start(step->loop, &step->plan.transport_watch, on_transport, step);
    return RUNNING;
failed:
    fail_to_start(step, error_text(&err));
    return close_step(step);
}

static enum state give_up(struct step *step)
{
    (void)step;
    return OVER;
}

static void keep_async_jobs(struct step *step)
{
    if (step->plan.async_marker && step->plan.run_scope)
        scope_move_marked(&step->scope, step->plan.run_scope, step->plan.async_marker, NULL);
}

static void set_age(struct json *object, const char *key, int64_t ns)
{
    json_set(object, key, ns < 0 ? json_new_null() : json_new_integer(ns / NS_PER_MS));
}

/* What only the worker knows of what is going on; the look itself is added to it. */
static struct json *known(const struct step *step)
{
    static const char *const why[] = {[ENDED_BY_DEADLINE] = "deadline",
                                      [ENDED_BY_SILENCE] = "silence",
                                      [ENDED_BY_TASK] = "task-timeout",
                                      [ENDED_BY_TRANSPORT] = "transport-lost",
                                      [ENDED_BY_CANCEL] = "cancelled"};
    struct json *facts = json_new_object();
    int64_t event_ns = -1, output_ns = -1;
    AUTO_FREE char *host = task_now_host(&step->now), *path = transport_watch_words(step->transport_watch);
    if (step->watchdogs)
        watchdogs_ages(step->watchdogs, &event_ns, &output_ns);
    json_set_string(facts, "why", why[step->by]);
    json_set_string(facts, "task", step->now.task);
    json_set_string(facts, "path", step->now.path);
    json_set_string(facts, "host", host ? host : step->plan.host);
    set_age(facts, "task_ms", step->now.task ? moment_monotonic() - step->now.since_ns : -1);
    set_age(facts, "step_ms", moment_monotonic() - step->started_monotonic);
    set_age(facts, "last_event_ms", event_ns);
    set_age(facts, "last_output_ms", output_ns);
    json_set_string(facts, "connection", path);
    return facts;
}

static void on_looked(void *context, struct json *look)
{
    struct step *step = context;
    const char *key;
    struct json *value;
    for (void *at = NULL; json_each(look, &at, &key, &value);)
        json_set(step->facts, key, json_keep(value));
    AUTO_FREE char *detail = json_compact(step->facts);
    struct event event = note(step, EVENT_NOTE);
    event.note.kind = "forensics";
    event.note.detail = detail;
    event.note.at_ns = moment_wall();
    sink_put(step->sink, &event);
    step->looked_at = true;
    forensics_stop(&step->forensics);
    feed(step, LOOKED);
}

static enum state terminate(struct step *step);

/* Before anything is ended; a look that cannot be taken holds nothing up. */
static enum state look(struct step *step)
{
    step->facts = known(step);
    stop_watching(step);
    step->plan.forensics.scope = &step->scope;
    step->plan.forensics.run_scope = step->plan.run_scope;
    step->plan.forensics.run = step->plan.run;
    step->plan.forensics.log = step->plan.log;
    if (!step->plan.forensics.self ||
        forensics_start(step->loop, &step->plan.forensics, on_looked, step, &step->forensics, NULL) < 0)
        return terminate(step);
    return LOOKING;
}

static enum state linger(struct step *step)
{
    stop_watching(step);
    keep_async_jobs(step);
    if (!scope_populated(&step->scope))
        return close_step(step);
    timer_arm(step->bound, LINGER_MS * NS_PER_MS);
    if (step->scope_events < 0)
        timer_arm(step->poll, 0);
    return LINGERING;
}

static enum state terminate(struct step *step)
{
    stop_watching(step);
    keep_async_jobs(step);
    if (step->main_ended && !scope_populated(&step->scope))
        return close_step(step);
    scope_signal(&step->scope, SIGTERM, NULL);
    timer_arm(step->bound, step->plan.grace_ns);
    if (step->scope_events < 0)
        timer_arm(step->poll, 0);
    return TERMINATING;
}

static enum state kill_all(struct step *step)
{
    stop_watching(step);
    forensics_stop(&step->forensics);
    scope_kill(&step->scope, NULL);
    timer_arm(step->bound, KILL_BOUND_S * NS_PER_S);
    if (step->scope_events < 0)
        timer_arm(step->poll, 0);
    return KILLING;
}

/* KILL's bound passed: what is left cannot be ended (it hangs in the kernel). The row will say so. */
static enum state count_survivors(struct step *step)
{
    int members = scope_members(&step->scope, NULL, NULL);
    step->survivors = members > 0 ? members : 0;
    return close_step(step);
}

/* In a state in which the main process is still there, its own end alone is not the end of the scope. */
static enum state see_whether_empty(struct step *step)
{
    return scope_populated(&step->scope) ? step->state : close_step(step);
}

/* The look comes after the row, since it may take as long as the step did; it changes the row then. */
static const char *unlooked(const struct step *step)
{
    if (!text_is(step->plan.kind, "phase"))
        return "nobody looked: a stage runs nothing on the host";
    return outcome_may_leave(step->verdict.outcome)
               ? "nobody looked yet: the next contact with the host makes up for it"
               : "nobody looked: the phase came to its own end";
}

static enum state close_step(struct step *step)
{
    stop_watching(step);
    timer_disarm(step->bound);
    timer_disarm(step->poll);
    /* What cannot be read to its end (it was cut off, say) proves nothing. */
    if (step->follow && follow_drain(step->follow, true, NULL) < 0)
        tally_bad_line(&step->tally);
    AUTO_TEXT tail = TEXT_INIT;
    file_read_tail(step->plan.log, LOG_TAIL, &tail, NULL);
    AUTO_FREE char *path_words = transport_watch_words(step->transport_watch);
    struct evidence evidence = {step->by,
                                &step->child_end,
                                &step->tally,
                                kernel_ooms() > step->ooms_before,
                                step->plan.lost_handlers_warn,
                                step->not_started && !tail.length ? step->not_started : text_string(&tail),
                                path_state_cause(transport_watch_state(step->transport_watch)),
                                path_words,
                                step->looked_at ? id_tail(step->plan.run, 8) : NULL};
    step->verdict = step->judge(step->context, &evidence);
    struct event event = row(step, EVENT_STEP_END);
    struct event_step *end = &event.of_step;
    AUTO_JSON *owed = tally_owed(&step->tally, false);
    AUTO_FREE char *owed_text = owed ? json_compact(owed) : NULL;
    end->duration_ns = moment_monotonic() - step->started_monotonic;
    end->outcome = step->verdict.outcome;
    end->cause = step->verdict.cause;
    end->message = step->verdict.message;
    end->exit_code = step->child_end.exited ? step->child_end.code : -1;
    end->signal = step->child_end.exited ? -1 : step->child_end.signal;
    end->ok = step->tally.ok;
    end->changed = step->tally.changed;
    end->failed = step->tally.failed;
    end->skipped = step->tally.skipped;
    end->unreachable = step->tally.unreachable + (step->by == ENDED_BY_TRANSPORT);
    end->ignored = step->tally.ignored;
    end->rescued = step->tally.rescued;
    end->cpu_usec = scope_cpu_usec(&step->scope);
    end->survivors_here = step->survivors;
    end->host_evidence = unlooked(step);
    end->event_bytes = step->follow ? follow_offset(step->follow) : 0;
    end->handlers_owed = owed_text;
    sink_commit(step->sink, &event, on_store, step);
    if (!step->survivors)
        scope_remove(&step->scope, NULL);
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
    [OPENING] = {[COMMITTED] = start, [NOT_COMMITTED] = give_up},
    [RUNNING] = {[MAIN_ENDED] = linger, [WATCHDOG] = look, [CANCEL] = look, [CANCEL_NOW] = kill_all},
    [LOOKING] = {[LOOKED] = terminate, [CANCEL_NOW] = kill_all},
    [LINGERING] = {[EMPTY] = close_step, [BOUND] = terminate, [CANCEL] = terminate, [CANCEL_NOW] = kill_all},
    [TERMINATING] =
        {[MAIN_ENDED] = see_whether_empty, [EMPTY] = close_step, [BOUND] = kill_all, [CANCEL_NOW] = kill_all},
    [KILLING] = {[MAIN_ENDED] = see_whether_empty, [EMPTY] = close_step, [BOUND] = count_survivors},
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
    struct step_end end = {.verdict = step->verdict,
                           .child = step->child_end,
                           .tally = &step->tally,
                           .by = step->by,
                           .stored = step->stored,
                           .store_failure = step->store_failure};
    step->over(step->context, true, &end);
}

/* The callback plugin and ansible-playbook append to files that are there already: made here, new, so that nothing of an earlier step is taken for this one's. */
static int make_file(const char *path, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_system(err, errno, "cannot make %s", path);
    close(fd);
    return 0;
}

int step_start(struct loop *loop, struct sink *sink, const struct step_plan *plan, step_judge *judge,
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
    step->tally = (struct tally)TALLY_INIT;
    step->child = (struct child)CHILD_INIT;
    step->scope_events = -1;
    if (scope_open(plan->scope_name, plan->scope_marker, &step->scope, err) < 0) {
        free(step);
        return -1;
    }
    scope_take_orphans(&step->scope);
    tally_owe(&step->tally, plan->pending_handlers);
    step->bound = loop_timer(loop, on_bound, step);
    step->poll = loop_timer(loop, on_poll, step);
    step->started_ns = moment_wall();
    step->started_monotonic = moment_monotonic();
    step->ooms_before = kernel_ooms();
    struct event event = row(step, EVENT_STEP_BEGIN);
    *out = step;
    sink_commit(sink, &event, on_store, step);
    return 0;
}

void step_cancel(struct step *step)
{
    bool again = step->cancelled_once;
    step->cancelled_once = true;
    /* What ended by itself before was not cancelled. */
    if (step->by == ENDED_BY_ITSELF && !step->main_ended)
        step->by = ENDED_BY_CANCEL;
    feed(step, again ? CANCEL_NOW : CANCEL);
}

void step_expire(struct step *step)
{
    if (!step->main_ended)
        on_watchdog(step, ENDED_BY_DEADLINE);
}

pid_t step_child(const struct step *step)
{
    return step->child.pid;
}

void step_free(struct step *step)
{
    if (!step)
        return;
    watchdogs_stop(&step->watchdogs);
    transport_watch_free(&step->transport_watch);
    forensics_stop(&step->forensics);
    json_free(step->facts);
    task_now_free(&step->now);
    follow_stop(&step->follow);
    watch_stop(&step->child_watch);
    watch_stop(&step->scope_watch);
    timer_free(&step->bound);
    timer_free(&step->poll);
    fd_close(&step->scope_events);
    child_close(&step->child);
    scope_close(&step->scope);
    tally_free(&step->tally);
    verdict_free(&step->verdict);
    free(step->not_started);
    free(step);
}
