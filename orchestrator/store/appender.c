#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "format/json.h"
#include "store/columns.h"
#include "store/names.h"
#include "store/store.h"

/* What is asked and kept beside the rows of events, whose statements are made of their columns. */
enum statement {
    FIND_RUN,
    FIND_STEP,
    FIND_NAME,
    FIND_MACHINE,
    ADD_NAME,
    STEP_BYTES,
    DATA_VERSION,
    STATEMENTS,
};

static const char *const statements[STATEMENTS] = {
    [FIND_RUN] = "SELECT number FROM run WHERE id = ?1",
    [FIND_STEP] = "SELECT step.number, (SELECT coalesce(max(seq), 0) FROM task WHERE step = step.number)"
                  " FROM step WHERE run = ?1 AND seq = ?2",
    [FIND_NAME] = "SELECT number FROM name WHERE text = ?1",
    [FIND_MACHINE] = "SELECT coalesce((SELECT number FROM machine WHERE id = ?1),"
                     " (SELECT coalesce(max(number), 0) + 1 FROM machine))",
    [ADD_NAME] = "INSERT INTO name (text) VALUES (?1)",
    [STEP_BYTES] = "UPDATE step SET event_bytes = max(event_bytes, ?2) WHERE number = ?1",
    [DATA_VERSION] = "PRAGMA data_version",
};

struct store_appender {
    struct sql *db;
    /* Prepared when first needed: a worker's memory is counted. */
    struct sql_statement *prepared[STATEMENTS], *rows[EVENT_SAMPLE + 1];
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

static struct sql_statement *get_row(struct store_appender *appender, enum event_kind kind, struct error *err)
{
    if (appender->rows[kind])
        return appender->rows[kind];
    AUTO_FREE char *statement = store_row_statement(store_row_of(kind));
    return sql_prepare(appender->db, statement, &appender->rows[kind], err) < 0 ? NULL : appender->rows[kind];
}

int store_appender_new(struct sql *db, struct store_appender **out, struct error *err)
{
    struct store_appender *appender = xcalloc(1, sizeof *appender);
    appender->db = db;
    appender->names = store_names_new();
    appender->step = -1;
    if (!get_row(appender, EVENT_TASK, err)) { /* whatever ails the store shows here */
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
    for (size_t i = 0; i < COUNT_OF(appender->rows); i++)
        sql_finish(appender->rows[i]);
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

static int bind_status(struct sql_statement *statement, int at, const char *status, struct error *err)
{
    int number = status_number(status);
    if (number < 0)
        return error_set(err, ERROR_STORE, "a task's status '%s' is none that the store knows",
                         status ? status : "");
    sql_bind_integer(statement, at, number);
    return 0;
}

static int bind_column(struct store_appender *appender, struct sql_statement *statement, int at,
                       const struct store_column *column, const void *owner, struct error *err)
{
    if (column->type == STORE_TEXT || column->type == STORE_OUTCOME) {
        const char *text = store_column_text(column, owner);
        if (column->rule == RULE_WORD)
            return bind_name(appender, statement, at, text, err);
        if (column->rule == RULE_STATUS)
            return bind_status(statement, at, text, err);
        sql_bind_text(statement, at, text);
        return 0;
    }
    int64_t number = store_column_number(column, owner);
    if (column->rule == RULE_KNOWN && number < 0)
        sql_bind_null(statement, at);
    else
        sql_bind_integer(statement, at, number);
    return 0;
}

/* The statement of an event's row, all bound but the keys, which are its first parameters. */
static struct sql_statement *fill(struct store_appender *appender, const struct event *event,
                                  struct error *err)
{
    const struct store_row *row = store_row_of(event->kind);
    const void *owner = event->kind == EVENT_MACHINE ? (const void *)event->machine : event;
    struct sql_statement *statement = get_row(appender, event->kind, err);
    if (!statement)
        return NULL;
    int at = (int)store_row_keys(row);
    for (size_t i = 0; i < row->count; i++)
        if (row->columns[i].moments & row->moment &&
            bind_column(appender, statement, ++at, &row->columns[i], owner, err) < 0)
            return NULL;
    return statement;
}

static int put_run_begin(struct store_appender *appender, const struct event *event, struct error *err)
{
    struct sql_statement *add = fill(appender, event, err);
    return add ? sql_do(add, err) : -1;
}

static int put_run(struct store_appender *appender, const struct event *event, struct error *err)
{
    const char *id = event->of_run.id ? event->of_run.id : event->run;
    struct sql_statement *update;
    if (find_run(appender, id, err) < 0 || !(update = fill(appender, event, err)))
        return -1;
    sql_bind_integer(update, 1, appender->run_number);
    return sql_do(update, err);
}

/* A step's row is found by run and seq; a look at the host may come long after its end. */
static int put_step(struct store_appender *appender, const struct event *event, struct error *err)
{
    struct sql_statement *put;
    if (find_run(appender, event->run, err) < 0 || !(put = fill(appender, event, err)))
        return -1;
    sql_bind_integer(put, 1, appender->run_number);
    sql_bind_integer(put, 2, event->kind == EVENT_HOST_LOOK ? event->step : event->of_step.seq);
    if (sql_do(put, err) < 0)
        return -1;
    if (event->kind == EVENT_STEP_END && sql_changes(appender->db) == 0)
        return error_set(err, ERROR_STORE, "the store has no step %d of run %s that ended",
                         event->of_step.seq, event->run);
    return 0;
}

static int put_task(struct store_appender *appender, const struct event *event, struct error *err)
{
    const struct event_task *task = &event->task;
    struct sql_statement *add;
    if (find_step(appender, event, err) < 0 || !(add = fill(appender, event, err)))
        return -1;
    sql_bind_integer(add, 1, appender->step_number);
    sql_bind_integer(add, 2, ++appender->task_seq);
    sql_bind_integer(add, 3,
                     task->ignored | task->rescued << 1 | task->async << 2 | task->handler << 3 |
                         task->unchecked << 4);
    return sql_do(add, err);
}

static int put_beside_tasks(struct store_appender *appender, const struct event *event, struct error *err)
{
    bool lost = event->kind == EVENT_UNREACHABLE;
    struct sql_statement *add;
    if (find_run(appender, event->run, err) < 0 || !(add = fill(appender, event, err)))
        return -1;
    sql_bind_integer(add, 1, appender->run_number);
    if (event->step)
        sql_bind_integer(add, 2, event->step);
    sql_bind_integer(add, 3, lost ? event->unreachable.at_ns : event->note.at_ns);
    if (lost)
        sql_bind_text(add, 4, "unreachable");
    return sql_do(add, err);
}

static int put_sample(struct store_appender *appender, const struct event *event, struct error *err)
{
    struct sql_statement *add;
    if (find_run(appender, event->run, err) < 0 || !(add = fill(appender, event, err)))
        return -1;
    sql_bind_integer(add, 1, appender->run_number);
    sql_bind_integer(add, 2, event->sample.at_ns);
    return sql_do(add, err);
}

static int put_machine(struct store_appender *appender, const struct event *event, struct error *err)
{
    struct sql_statement *query = get(appender, FIND_MACHINE, err), *put = fill(appender, event, err);
    int64_t number;
    if (!query || !put)
        return -1;
    sql_bind_text(query, 1, event->machine->id);
    if (first_integer(query, 1, &number, err) < 0)
        return -1;
    AUTO_FREE char *project = layout_project(sql_path(appender->db));
    AUTO_JSON *json = machine_to_row(event->machine, project);
    AUTO_FREE char *record = json_compact(json);
    sql_bind_integer(put, 1, number);
    sql_bind_text(put, 2, record);
    return sql_do(put, err);
}

static int put(struct store_appender *appender, const struct event *event, struct error *err)
{
    switch (event->kind) {
    case EVENT_RUN_BEGIN:
        return put_run_begin(appender, event, err);
    case EVENT_RUN_END:
    case EVENT_RUN_PLAN:
        return put_run(appender, event, err);
    case EVENT_STEP_BEGIN:
    case EVENT_STEP_END:
    case EVENT_HOST_LOOK:
        return put_step(appender, event, err);
    case EVENT_TASK:
        return put_task(appender, event, err);
    case EVENT_UNREACHABLE:
    case EVENT_NOTE:
        return put_beside_tasks(appender, event, err);
    case EVENT_SAMPLE:
        return put_sample(appender, event, err);
    case EVENT_MACHINE:
        return put_machine(appender, event, err);
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
