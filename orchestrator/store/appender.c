#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "format/json.h"
#include "store/names.h"
#include "store/store.h"

#include <string.h>

enum statement {
    FIND_RUN,
    FIND_STEP,
    FIND_NAME,
    ADD_NAME,
    RUN_BEGIN,
    RUN_END,
    RUN_PLAN,
    STEP_BEGIN,
    STEP_END,
    STEP_BYTES,
    HOST_LOOK,
    ADD_TASK,
    ADD_EVENT,
    ADD_LOST,
    PUT_MACHINE,
    DATA_VERSION,
    STATEMENTS,
};

static const char *const statements[STATEMENTS] = {
    [FIND_RUN] = "SELECT number FROM run WHERE id = ?1",
    [FIND_STEP] = "SELECT step.number, (SELECT coalesce(max(seq), 0) FROM task WHERE step = step.number)"
                  " FROM step WHERE run = ?1 AND seq = ?2",
    [FIND_NAME] = "SELECT number FROM name WHERE text = ?1",
    [ADD_NAME] = "INSERT INTO name (text) VALUES (?1)",
    [RUN_BEGIN] =
        "INSERT INTO run (id, kind, target, recipe, provider, project, group_id, parent_id, machine_id,"
        " ansible, partial, fresh, extra_digest, plan, pid, pid_start, boot_id, node, started_ns)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
    [RUN_END] =
        "UPDATE run SET machine_id = coalesce(?2, machine_id), ansible = coalesce(?3, ansible),"
        " plan = coalesce(?4, plan), fresh = ?5, duration_ns = ?6, outcome = ?7, exit_code = ?8, message = ?9"
        " WHERE number = ?1",
    [RUN_PLAN] = "UPDATE run SET plan = ?2 WHERE number = ?1",
    [STEP_BEGIN] = "INSERT INTO step (run, seq, kind, name, attempt, transport, evidence, scope, log, events,"
                   " started_ns, started_monotonic_ns, deadline_ns)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [STEP_END] = "UPDATE step SET transport = coalesce(?3, transport), evidence = coalesce(?4, evidence),"
                 " scope = coalesce(?5, scope), duration_ns = ?6, outcome = ?7, cause = ?8, message = ?9,"
                 " exit_code = ?10, signal = ?11, ok = ?12, changed = ?13, failed = ?14, skipped = ?15,"
                 " unreachable = ?16, ignored = ?17, rescued = ?18, cpu_usec = ?19, survivors_here = ?20,"
                 " survivors_host = ?21, host_evidence = ?22, event_bytes = max(event_bytes, ?23), "
                 "handlers_owed = ?24,"
                 " started_ns = coalesce(nullif(?25, 0), started_ns),"
                 " started_monotonic_ns = coalesce(nullif(?26, 0), started_monotonic_ns)"
                 " WHERE run = ?1 AND seq = ?2",
    [HOST_LOOK] = "UPDATE step SET survivors_host = ?3, host_evidence = ?4 WHERE run = ?1 AND seq = ?2",
    [STEP_BYTES] = "UPDATE step SET event_bytes = max(event_bytes, ?2) WHERE number = ?1",
    [ADD_TASK] = "INSERT INTO task (step, seq, host, play, role, task, path, action, status, flags, items,"
                 " started_ns, duration_ns, message)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    [ADD_EVENT] = "INSERT INTO event (run, step, at_ns, kind, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
    /* A line that is read again after a crash, since only a part of its rows had been committed, adds no second one. */
    [ADD_LOST] =
        "INSERT OR IGNORE INTO event (run, step, at_ns, kind, host, task, cause, cause_source, message,"
        " transport, ignored)"
        " VALUES (?1, ?2, ?3, 'unreachable', ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [PUT_MACHINE] =
        "INSERT OR REPLACE INTO machine (id, project, target, provider, reference, address, port, made_ns,"
        " removed_ns, record, number) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
        " coalesce((SELECT number FROM machine WHERE id = ?1), (SELECT coalesce(max(number), 0) + 1 FROM "
        "machine)))",
    [DATA_VERSION] = "PRAGMA data_version",
};

struct store_appender {
    struct sql *db;
    struct sql_statement *prepared[STATEMENTS]; /* when first needed: a worker's memory is counted */
    struct store_names *names;
    int64_t data_version;
    char *run; /* the run met last */
    int64_t run_number;
    int step; /* the step met last, of that run; -1: none */
    int64_t step_number, task_seq;
    int64_t event_bytes; /* of that step, not written yet; 0: nothing to write */
};

static struct sql_statement *get(struct store_appender *appender, enum statement which, struct error *err)
{
    if (!appender->prepared[which] &&
        sql_prepare(appender->db, statements[which], &appender->prepared[which], err) < 0)
        return NULL;
    return appender->prepared[which];
}

int store_appender_new(struct sql *db, struct store_appender **out, struct error *err)
{
    struct store_appender *appender = xcalloc(1, sizeof *appender);
    appender->db = db;
    appender->names = store_names_new();
    appender->step = -1;
    if (!get(appender, ADD_TASK, err)) { /* whatever ails the store shows here */
        store_appender_free(appender);
        return -1;
    }
    *out = appender;
    return 0;
}

void store_appender_free(struct store_appender *appender)
{
    if (!appender)
        return;
    for (size_t i = 0; i < STATEMENTS; i++)
        sql_finish(appender->prepared[i]);
    store_names_free(appender->names);
    free(appender->run);
    free(appender);
}

static int first_integer(struct sql_statement *query, int64_t otherwise, int64_t *out, struct error *err)
{
    int row = sql_step(query, err);
    if (row >= 0)
        *out = row ? sql_integer(query, 0) : otherwise;
    sql_reset(query);
    return row < 0 ? -1 : 0;
}

int store_appender_begin(struct store_appender *appender, struct error *err)
{
    int64_t version;
    struct sql_statement *query = get(appender, DATA_VERSION, err);
    if (!query || first_integer(query, 0, &version, err) < 0)
        return -1;
    if (version != appender->data_version)
        store_names_clear(appender->names);
    appender->data_version = version;
    return 0;
}

int store_appender_flush(struct store_appender *appender, struct error *err)
{
    if (!appender->event_bytes)
        return 0;
    struct sql_statement *update = get(appender, STEP_BYTES, err);
    if (!update)
        return -1;
    sql_bind_integer(update, 1, appender->step_number);
    sql_bind_integer(update, 2, appender->event_bytes);
    appender->event_bytes = 0;
    return sql_do(update, err);
}

static int find_run(struct store_appender *appender, const char *id, struct error *err)
{
    if (text_is(appender->run, id))
        return 0;
    struct sql_statement *query = get(appender, FIND_RUN, err);
    int64_t number;
    if (!query || store_appender_flush(appender, err) < 0)
        return -1;
    sql_bind_text(query, 1, id);
    if (first_integer(query, 0, &number, err) < 0)
        return -1;
    if (!number)
        return error_set(err, ERROR_STORE, "the store has no run %s that an event names", id ? id : "(none)");
    free(appender->run);
    appender->run = xstrdup(id);
    appender->run_number = number;
    appender->step = -1;
    return 0;
}

static int find_step(struct store_appender *appender, const struct event *event, struct error *err)
{
    if (find_run(appender, event->run, err) < 0)
        return -1;
    if (appender->step == event->step)
        return 0;
    struct sql_statement *query = get(appender, FIND_STEP, err);
    if (!query || store_appender_flush(appender, err) < 0)
        return -1;
    sql_bind_integer(query, 1, appender->run_number);
    sql_bind_integer(query, 2, event->step);
    int row = sql_step(query, err);
    if (row > 0) {
        appender->step = event->step;
        appender->step_number = sql_integer(query, 0);
        appender->task_seq = sql_integer(query, 1);
    }
    sql_reset(query);
    if (row == 0)
        return error_set(err, ERROR_STORE, "the store has no step %d of run %s that an event names",
                         event->step, event->run);
    return row < 0 ? -1 : 0;
}

/* Binds the number of a word, which becomes a row when it is new; NULL binds NULL. */
static int bind_name(struct store_appender *appender, struct sql_statement *statement, int at,
                     const char *word, struct error *err)
{
    if (!word) {
        sql_bind_null(statement, at);
        return 0;
    }
    int64_t number = store_names_find(appender->names, word);
    if (!number) {
        struct sql_statement *query = get(appender, FIND_NAME, err);
        if (!query)
            return -1;
        sql_bind_text(query, 1, word);
        if (first_integer(query, 0, &number, err) < 0)
            return -1;
        if (!number) {
            struct sql_statement *add = get(appender, ADD_NAME, err);
            if (!add)
                return -1;
            sql_bind_text(add, 1, word);
            if (sql_do(add, err) < 0)
                return -1;
            number = sql_last_row(appender->db);
        }
        store_names_keep(appender->names, word, number);
    }
    sql_bind_integer(statement, at, number);
    return 0;
}

static int status_number(const char *status)
{
    static const char *const names[] = {"ok", "changed", "skipped", "failed", "unreachable"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_is(status, names[i]))
            return (int)i;
    return -1;
}

static int put_task(struct store_appender *appender, const struct event *event, struct error *err)
{
    const struct event_task *task = &event->task;
    int status = status_number(task->status);
    if (status < 0)
        return error_set(err, ERROR_STORE, "a task's status '%s' is none that the store knows",
                         task->status ? task->status : "");
    struct sql_statement *add = get(appender, ADD_TASK, err);
    if (!add || find_step(appender, event, err) < 0)
        return -1;
    const char *const words[] = {task->host, task->play, task->role, task->task, task->path, task->action};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (bind_name(appender, add, 3 + (int)i, words[i], err) < 0)
            return -1;
    sql_bind_integer(add, 1, appender->step_number);
    sql_bind_integer(add, 2, ++appender->task_seq);
    sql_bind_integer(add, 9, status);
    sql_bind_integer(add, 10, task->ignored | task->rescued << 1 | task->async << 2 | task->handler << 3);
    sql_bind_integer(add, 11, task->items);
    sql_bind_integer(add, 12, task->started_ns);
    sql_bind_integer(add, 13, task->duration_ns);
    sql_bind_text(add, 14, task->message);
    return sql_do(add, err);
}

/* Run, step and moment of an event, which are its first three parameters. */
static int bind_place(struct store_appender *appender, struct sql_statement *add, const struct event *event,
                      int64_t at_ns, struct error *err)
{
    if (find_run(appender, event->run, err) < 0)
        return -1;
    sql_bind_integer(add, 1, appender->run_number);
    if (event->step)
        sql_bind_integer(add, 2, event->step);
    sql_bind_integer(add, 3, at_ns);
    return 0;
}

static int put_note(struct store_appender *appender, const struct event *event, struct error *err)
{
    struct sql_statement *add = get(appender, ADD_EVENT, err);
    if (!add || bind_place(appender, add, event, event->note.at_ns, err) < 0)
        return -1;
    sql_bind_text(add, 4, event->note.kind);
    sql_bind_text(add, 5, event->note.detail);
    return sql_do(add, err);
}

static int put_unreachable(struct store_appender *appender, const struct event *event, struct error *err)
{
    const struct event_unreachable *lost = &event->unreachable;
    struct sql_statement *add = get(appender, ADD_LOST, err);
    if (!add || bind_place(appender, add, event, lost->at_ns, err) < 0)
        return -1;
    const char *const texts[] = {lost->host,         lost->task,    lost->cause,
                                 lost->cause_source, lost->message, lost->transport};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        sql_bind_text(add, 4 + (int)i, texts[i]);
    sql_bind_integer(add, 10, lost->ignored);
    return sql_do(add, err);
}

static int put_run_begin(struct store_appender *appender, const struct event_run *run, struct error *err)
{
    struct sql_statement *add = get(appender, RUN_BEGIN, err);
    if (!add)
        return -1;
    const char *const texts[] = {run->id,      run->kind,     run->target,    run->recipe,     run->provider,
                                 run->project, run->group_id, run->parent_id, run->machine_id, run->ansible};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        sql_bind_text(add, 1 + (int)i, texts[i]);
    sql_bind_integer(add, 11, run->partial);
    sql_bind_integer(add, 12, run->fresh);
    sql_bind_text(add, 13, run->extra_digest);
    sql_bind_text(add, 14, run->plan);
    sql_bind_integer(add, 15, run->pid);
    sql_bind_integer(add, 16, run->pid_start);
    sql_bind_text(add, 17, run->boot_id);
    sql_bind_text(add, 18, run->node);
    sql_bind_integer(add, 19, run->started_ns);
    return sql_do(add, err);
}

static int put_run_end(struct store_appender *appender, const struct event *event, struct error *err)
{
    const struct event_run *run = &event->of_run;
    struct sql_statement *update = get(appender, RUN_END, err);
    if (!update || find_run(appender, run->id ? run->id : event->run, err) < 0)
        return -1;
    sql_bind_integer(update, 1, appender->run_number);
    sql_bind_text(update, 2, run->machine_id);
    sql_bind_text(update, 3, run->ansible);
    sql_bind_text(update, 4, run->plan);
    sql_bind_integer(update, 5, run->fresh);
    sql_bind_integer(update, 6, run->duration_ns);
    sql_bind_text(update, 7, run->outcome == OUTCOME_NONE ? NULL : outcome_name(run->outcome));
    sql_bind_integer(update, 8, run->exit_code);
    sql_bind_text(update, 9, run->message);
    return sql_do(update, err);
}

static int put_run_plan(struct store_appender *appender, const struct event *event, struct error *err)
{
    struct sql_statement *update = get(appender, RUN_PLAN, err);
    if (!update || find_run(appender, event->run, err) < 0)
        return -1;
    sql_bind_integer(update, 1, appender->run_number);
    sql_bind_text(update, 2, event->of_run.plan);
    return sql_do(update, err);
}

static int put_step_begin(struct store_appender *appender, const struct event *event, struct error *err)
{
    const struct event_step *step = &event->of_step;
    struct sql_statement *add = get(appender, STEP_BEGIN, err);
    if (!add || find_run(appender, event->run, err) < 0)
        return -1;
    sql_bind_integer(add, 1, appender->run_number);
    sql_bind_integer(add, 2, step->seq);
    sql_bind_text(add, 3, step->kind);
    sql_bind_text(add, 4, step->name);
    sql_bind_integer(add, 5, step->attempt);
    const char *const texts[] = {step->transport, step->evidence, step->scope, step->log, step->events};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        sql_bind_text(add, 6 + (int)i, texts[i]);
    sql_bind_integer(add, 11, step->started_ns);
    sql_bind_integer(add, 12, step->started_monotonic_ns);
    sql_bind_integer(add, 13, step->deadline_ns);
    return sql_do(add, err);
}

/* -1 stands for "there is none" in a step's exit code, signal, CPU and survivors. */
static void bind_known(struct sql_statement *statement, int at, int64_t value)
{
    if (value < 0)
        sql_bind_null(statement, at);
    else
        sql_bind_integer(statement, at, value);
}

static int put_step_end(struct store_appender *appender, const struct event *event, struct error *err)
{
    const struct event_step *step = &event->of_step;
    struct sql_statement *update = get(appender, STEP_END, err);
    if (!update || find_run(appender, event->run, err) < 0)
        return -1;
    sql_bind_integer(update, 1, appender->run_number);
    sql_bind_integer(update, 2, step->seq);
    sql_bind_text(update, 3, step->transport);
    sql_bind_text(update, 4, step->evidence);
    sql_bind_text(update, 5, step->scope);
    sql_bind_integer(update, 6, step->duration_ns);
    sql_bind_text(update, 7, step->outcome == OUTCOME_NONE ? NULL : outcome_name(step->outcome));
    sql_bind_text(update, 8, step->cause);
    sql_bind_text(update, 9, step->message);
    bind_known(update, 10, step->exit_code);
    bind_known(update, 11, step->signal);
    const int64_t counts[] = {step->ok,          step->changed, step->failed, step->skipped,
                              step->unreachable, step->ignored, step->rescued};
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        sql_bind_integer(update, 12 + (int)i, counts[i]);
    bind_known(update, 19, step->cpu_usec);
    bind_known(update, 20, step->survivors_here);
    bind_known(update, 21, step->survivors_host);
    sql_bind_text(update, 22, step->host_evidence);
    sql_bind_integer(update, 23, step->event_bytes);
    sql_bind_text(update, 24, step->handlers_owed);
    sql_bind_integer(update, 25, step->started_ns);
    sql_bind_integer(update, 26, step->started_monotonic_ns);
    if (sql_do(update, err) < 0)
        return -1;
    if (sql_changes(appender->db) == 0)
        return error_set(err, ERROR_STORE, "the store has no step %d of run %s that ended", step->seq,
                         event->run);
    return 0;
}

static int put_host_look(struct store_appender *appender, const struct event *event, struct error *err)
{
    struct sql_statement *update = get(appender, HOST_LOOK, err);
    if (!update || find_run(appender, event->run, err) < 0)
        return -1;
    sql_bind_integer(update, 1, appender->run_number);
    sql_bind_integer(update, 2, event->step);
    bind_known(update, 3, event->of_step.survivors_host);
    sql_bind_text(update, 4, event->of_step.host_evidence);
    return sql_do(update, err);
}

static int put_machine(struct store_appender *appender, const struct machine *machine, struct error *err)
{
    struct sql_statement *put = get(appender, PUT_MACHINE, err);
    if (!put)
        return -1;
    AUTO_FREE char *project = layout_project(sql_path(appender->db));
    AUTO_JSON *json = machine_to_row(machine, project);
    AUTO_FREE char *record = json_compact(json);
    const char *const texts[] = {machine->id,       machine->project,   machine->target,
                                 machine->provider, machine->reference, machine->address};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        sql_bind_text(put, 1 + (int)i, texts[i]);
    sql_bind_integer(put, 7, machine->port);
    sql_bind_integer(put, 8, machine->made_ns);
    sql_bind_integer(put, 9, machine->removed_ns);
    sql_bind_text(put, 10, record);
    return sql_do(put, err);
}

static int put(struct store_appender *appender, const struct event *event, struct error *err)
{
    switch (event->kind) {
    case EVENT_RUN_BEGIN:
        return put_run_begin(appender, &event->of_run, err);
    case EVENT_RUN_END:
        return put_run_end(appender, event, err);
    case EVENT_RUN_PLAN:
        return put_run_plan(appender, event, err);
    case EVENT_STEP_BEGIN:
        return put_step_begin(appender, event, err);
    case EVENT_STEP_END:
        return put_step_end(appender, event, err);
    case EVENT_HOST_LOOK:
        return put_host_look(appender, event, err);
    case EVENT_TASK:
        return put_task(appender, event, err);
    case EVENT_UNREACHABLE:
        return put_unreachable(appender, event, err);
    case EVENT_MACHINE:
        return put_machine(appender, event->machine, err);
    case EVENT_NOTE:
        return put_note(appender, event, err);
    }
    return error_set(err, ERROR_STORE, "an event of a kind (%d) that the store does not know",
                     (int)event->kind);
}

int store_appender_put(struct store_appender *appender, const struct event *event, struct error *err)
{
    if (put(appender, event, err) < 0)
        return -1;
    if (event->event_bytes && event->step) {
        if (find_step(appender, event, err) < 0)
            return -1;
        if (event->event_bytes > appender->event_bytes)
            appender->event_bytes = event->event_bytes;
    }
    return 0;
}
