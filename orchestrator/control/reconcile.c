#include "control/reconcile.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "config/marks.h"
#include "event/line_event.h"
#include "event/tally.h"
#include "process/child.h"
#include "process/follow.h"
#include "process/scope.h"
#include "run/intent.h"
#include "store/batch.h"
#include "store/history.h"
#include "store/store.h"
#include "verdict/verdict.h"

#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { END_BOUND_S = 20, LINE_LIMIT = 1 << 20, BUSY_MS = 10000 };

static bool here(const struct history_run *run)
{
    struct utsname names;
    return !run->node || (uname(&names) == 0 && text_is(run->node, names.nodename));
}

static bool this_boot(const struct history_run *run)
{
    AUTO_FREE char *boot = process_boot_id();
    return text_is(run->boot_id, boot);
}

/* The two ways a run's processes can be known: its cgroup, and the mark in environments and control paths. */
static int find_scopes(const char *run, struct scope scopes[2])
{
    int count = 0;
    const char *reason;
    const char *root = scope_root(&reason);
    if (root) {
        AUTO_FREE char *name = marks_run_scope(run), *path = file_join(root, name);
        if (scope_open_existing(path, &scopes[count], NULL) == 0)
            count++;
    }
    scopes[count++] = (struct scope){.kind = SCOPE_MARKER, .marker = marks_run(run), .fd = -1};
    return count;
}

struct reconcile_look reconcile_look(const struct history_run *run)
{
    struct reconcile_look look = {.elsewhere = !here(run) || !this_boot(run)};
    if (look.elsewhere)
        return look;
    look.alive = process_alive((pid_t)run->pid, run->pid_start);
    struct scope scopes[2];
    int count = look.alive ? 0 : find_scopes(run->id, scopes);
    for (int i = 0; i < count; i++) {
        int members = scope_members(&scopes[i], NULL, NULL);
        /* A process can be known in both ways. */
        look.processes = members > look.processes ? members : look.processes;
        scope_close(&scopes[i]);
    }
    return look;
}

static int end_processes(const struct history_run *run, int *ended, struct error *err)
{
    struct scope scopes[2];
    int count = find_scopes(run->id, scopes), status = 0;
    for (int i = 0; i < count; i++) {
        int members = scope_members(&scopes[i], NULL, NULL);
        *ended += members > 0 ? members : 0;
        if (status == 0 && scope_end(&scopes[i], END_BOUND_S * NS_PER_S, err) < 0)
            status = -1;
        else
            scope_remove(&scopes[i], NULL);
        scope_close(&scopes[i]);
    }
    for (int kind = 0; kind < TRANSPORT_KINDS; kind++) {
        AUTO_FREE char *sockets = layout_sockets(run->id, (enum transport_kind)kind);
        file_remove_tree(sockets, NULL);
    }
    return status;
}

struct rest {
    struct sql *db;
    const char *run;
    const struct history_step *step;
    struct store_appender *appender;
    bool reboots; /* the phase was to reboot its host */
    struct tally tally;
    int64_t last_ns; /* wall time of the last event, 0: none */
    int64_t offset;
    int rows;         /* since the last commit */
    int64_t began_ns; /* monotonic, when it took the store's lock */
    int status;
    struct error *err;
};

/* Rows and how far the file was read for them are committed together, so a part of
 * them is no half-done thing. */
static int commit_some(struct rest *rest)
{
    rest->rows = 0;
    if (store_appender_flush(rest->appender, rest->err) < 0 || sql_commit(rest->db, rest->err) < 0)
        return -1;
    store_batch_pause(rest->began_ns);
    if (sql_begin(rest->db, rest->err) < 0)
        return -1;
    rest->began_ns = moment_monotonic();
    return store_appender_begin(rest->appender, rest->err);
}

static void take_line(void *context, const char *bytes, size_t length, bool skipped)
{
    struct rest *rest = context;
    struct line line;
    if (rest->status < 0)
        return;
    if (skipped || line_parse(bytes, length, &line, NULL) < 0) {
        tally_bad_line(&rest->tally);
        return;
    }
    line_of_phase(&line, rest->reboots);
    tally_line(&rest->tally, &line);
    rest->last_ns = line.wall_ns;
    struct event rows[2];
    int count = line_events(&line, rest->run, rest->step->seq, rest->step->transport, rest->offset, rows);
    /* Lines before the stored offset have their rows; they are only counted. */
    for (int i = 0; i < count && rest->status == 0 && rest->offset > rest->step->event_bytes;
         i++, rest->rows++)
        rest->status = store_appender_put(rest->appender, &rows[i], rest->err);
    line_clear(&line);
    if (rest->status == 0 && rest->rows >= STORE_BATCH_ROWS)
        rest->status = commit_some(rest);
}

/* The whole event file, since the counts are of all of it; a last half line is what the kill cut
 * off and counts as nothing. */
static int read_rest(const char *state, struct rest *rest, struct error *err)
{
    if (!rest->step->events)
        return 0;
    AUTO_FREE char *path = layout_stored(state, rest->step->events);
    rest->err = err;
    /* What cannot be read (its folder is gone) leaves the row with what is known. */
    follow_whole(path, LINE_LIMIT, take_line, rest, &rest->offset, NULL);
    return rest->status;
}

/* What the step was given to make up for: the debt of the attempt before it, or of the run
 * that this one goes on with. */
static struct json *owed_before(const struct json *plan, const struct history_step *steps, size_t at)
{
    for (size_t i = at; i-- > 0;)
        if (text_is(steps[i].name, steps[at].name) && text_is(steps[i].kind, "phase"))
            return steps[i].handlers_owed
                       ? json_parse(steps[i].handlers_owed, strlen(steps[i].handlers_owed), NULL)
                       : NULL;
    bool its = text_is(json_get_string(plan, "owed_at", NULL), steps[at].name);
    return its && json_get(plan, "owed") ? json_keep(json_get(plan, "owed")) : NULL;
}

static struct verdict judge(const struct rest *rest)
{
    const struct history_step *step = rest->step;
    const struct child_end unknown = {.exited = true, .code = -1};
    const struct stage_answer answer = {.stage = step->name};
    struct evidence evidence = {
        .by = ENDED_BY_DEATH, .end = &unknown, .tally = &rest->tally, .log_tail = "", .stage = &answer};
    return text_is(step->kind, "phase") ? verdict_of_phase(&evidence) : verdict_of_stage(&evidence);
}

static int close_step_row(struct rest *rest, const char *state, const struct json *owed_earlier,
                          struct error *err)
{
    rest->tally = (struct tally)TALLY_INIT;
    rest->last_ns = 0;
    rest->offset = 0;
    tally_owe(&rest->tally, owed_earlier);
    int status = read_rest(state, rest, err);
    const struct history_step *step = rest->step;
    const struct tally *tally = &rest->tally;
    AUTO_JSON *owed = tally_owed(tally, false);
    AUTO_FREE char *owed_text = owed ? json_compact(owed) : NULL;
    struct verdict verdict = judge(rest);
    struct event event = {
        .kind = EVENT_STEP_END,
        .run = rest->run,
        .step = step->seq,
        .of_step = {
            .seq = step->seq,
            .duration_ns = rest->last_ns > step->started_ns ? rest->last_ns - step->started_ns : 0,
            .outcome = verdict.outcome,
            .message = verdict.message,
            .verdict = verdict.row,
            .seen = verdict.seen,
            .exit_code = -1,
            .signal = -1,
            .ok = tally->ok,
            .changed = tally->changed,
            .failed = tally->failed,
            .skipped = tally->skipped,
            .unreachable = tally->unreachable,
            .ignored = tally->ignored,
            .rescued = tally->rescued,
            .cpu_usec = -1,
            .survivors_host = -1,
            .host_evidence =
                "nobody looked yet: triphase itself died; the next contact with the host makes up for it",
            .event_bytes = rest->offset,
            .handlers_owed = owed_text}};
    if (status == 0)
        status = store_appender_put(rest->appender, &event, err);
    verdict_clear(&verdict);
    tally_clear(&rest->tally);
    return status;
}

/* A run's row has the machine that was there when it began; where there was none, it made the one that is
 * there: a target has one run at a time. */
static struct machine *made_by(struct sql *db, const struct history_run *run)
{
    AUTO_MACHINE *machine = NULL;
    if (run->machine_id || history_machine(db, run->target, &machine, NULL) < 0 || !machine ||
        !machine->made_ns)
        return NULL;
    return TAKE(machine);
}

static int close_rows(struct sql *db, const char *state, const struct history_run *run, int ended,
                      int exit_code, struct error *err)
{
    struct store_appender *appender = NULL;
    struct history_step *steps = NULL;
    size_t count = 0;
    if (history_steps(db, run->id, &steps, &count, err) < 0 || store_appender_new(db, &appender, err) < 0) {
        history_steps_free(steps, count);
        return -1;
    }
    AUTO_JSON *plan = run->plan ? json_parse(run->plan, strlen(run->plan), NULL) : NULL;
    int status = sql_begin(db, err) < 0 || store_appender_begin(appender, err) < 0 ? -1 : 0;
    int64_t began = moment_monotonic(), last = run->started_ns;
    for (size_t i = 0; i < count && status == 0; i++) {
        if (!steps[i].outcome) {
            struct rest rest = {.db = db,
                                .run = run->id,
                                .step = &steps[i],
                                .appender = appender,
                                .reboots = intent_reboots(plan, steps[i].name),
                                .began_ns = began};
            AUTO_JSON *owed = owed_before(plan, steps, i);
            status = close_step_row(&rest, state, owed, err);
            began = rest.began_ns;
            last = rest.last_ns > last ? rest.last_ns : last;
        } else if (steps[i].started_ns + steps[i].duration_ns > last) {
            last = steps[i].started_ns + steps[i].duration_ns;
        }
    }
    struct verdict verdict = verdict_of_run(&(struct run_standing){.died = true, .ended = ended});
    AUTO_MACHINE *made = made_by(db, run);
    struct event event = {.kind = EVENT_RUN_END,
                          .run = run->id,
                          .of_run = {.id = run->id,
                                     .machine_id = made ? made->id : run->machine_id,
                                     .fresh = run->fresh || (made && !machine_was_there(made)),
                                     .duration_ns = last - run->started_ns,
                                     .outcome = verdict.outcome,
                                     .exit_code = exit_code,
                                     .message = verdict.message,
                                     .verdict = verdict.row,
                                     .seen = verdict.seen}};
    if (status == 0)
        status = store_appender_put(appender, &event, err);
    if (status == 0)
        status = store_appender_flush(appender, err);
    if (status == 0)
        status = sql_commit(db, err);
    else
        sql_rollback(db);
    verdict_clear(&verdict);
    store_appender_free(appender);
    history_steps_free(steps, count);
    return status;
}

static int reconcile_run(struct sql *db, const char *state, const struct history_run *run, int exit_code,
                         struct words *said, struct error *err)
{
    if (!here(run)) {
        words_addf(said, "run %s of %s began on %s and has no end: left as it is", id_shown(run->id),
                   run->target, run->node);
        return 0;
    }
    int ended = 0;
    if (this_boot(run)) {
        if (process_alive((pid_t)run->pid, run->pid_start))
            return error_set(
                err, ERROR_BUSY,
                "%s is busy: the worker of run %s (pid %lld) lives without its lock; end it, then try again",
                run->target, id_shown(run->id), (long long)run->pid);
        if (end_processes(run, &ended, err) < 0)
            return error_prefix(err, "cannot end what the dead run %s left", id_shown(run->id));
    }
    if (close_rows(db, state, run, ended, exit_code, err) < 0)
        return error_prefix(err, "cannot close the rows of the dead run %s", id_shown(run->id));
    words_addf(said,
               "run %s of %s had died: its rows are closed as crashed, %d process(es) it left were ended",
               id_shown(run->id), run->target, ended);
    return 0;
}

int reconcile_target(const char *state, const char *target, int exit_code, struct words *said,
                     struct error *err)
{
    AUTO_FREE char *path = layout_store(state);
    AUTO_SQL *db = NULL;
    struct history_run **open = NULL;
    if (sql_open(path, SQL_WRITE, BUSY_MS, &db, err) < 0 || history_open_runs(db, target, &open, err) < 0)
        return -1;
    int status = 0;
    for (size_t i = 0; open && open[i] && status == 0; i++)
        status = reconcile_run(db, state, open[i], exit_code, said, err);
    history_runs_free(open);
    return status;
}
