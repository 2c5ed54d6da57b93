#include "store/history_tasks.h"

#include "base/memory.h"

#include <string.h>

static char *column(struct sql_statement *row, int at)
{
    return xstrdup_or_null(sql_text(row, at));
}

/* Grows an array by one zeroed element and gives that. */
static void *grow(void **array, size_t *count, size_t size)
{
    *array = xreallocarray(*array, *count + 1, size);
    void *made = (char *)*array + *count * size;
    memset(made, 0, size);
    (*count)++;
    return made;
}

static int start(struct sql *db, const char *statement, const char *run, struct sql_statement **out,
                 struct error *err)
{
    if (sql_prepare(db, statement, out, err) < 0)
        return -1;
    sql_bind_text(*out, 1, run);
    return 0;
}

int history_lost(struct sql *db, const char *run, struct history_lost **out, size_t *count, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    if (start(db,
              "SELECT at_ns, coalesce(step, 0), coalesce(ignored, 0), host, task, cause, cause_source,"
              " message, transport FROM event WHERE run = (SELECT number FROM run WHERE id = ?1)"
              " AND kind = 'unreachable' ORDER BY at_ns, number",
              run, &query, err) < 0)
        return -1;
    struct history_lost *lost = NULL;
    size_t length = 0;
    int row;
    while ((row = sql_step(query, err)) > 0) {
        struct history_lost *one = grow((void **)&lost, &length, sizeof *lost);
        *one = (struct history_lost){.at_ns = sql_integer(query, 0),
                                     .step = (int)sql_integer(query, 1),
                                     .ignored = sql_integer(query, 2) != 0,
                                     .host = column(query, 3),
                                     .task = column(query, 4),
                                     .cause = column(query, 5),
                                     .cause_source = column(query, 6),
                                     .message = column(query, 7),
                                     .transport = column(query, 8)};
    }
    if (row < 0) {
        history_lost_free(lost, length);
        return -1;
    }
    *out = lost;
    *count = length;
    return 0;
}

void history_lost_free(struct history_lost *lost, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(lost[i].host);
        free(lost[i].task);
        free(lost[i].cause);
        free(lost[i].cause_source);
        free(lost[i].message);
        free(lost[i].transport);
    }
    free(lost);
}

int history_bad(struct sql *db, const char *run, int limit, struct history_bad **out, size_t *count,
                struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    if (start(db,
              "SELECT step.seq, host.text, role.text, title.text, path.text, task.message, task.status,"
              " task.flags, task.started_ns, task.duration_ns"
              " FROM step CROSS JOIN task INDEXED BY task_bad ON task.step = step.number AND task.status >= 3"
              " LEFT JOIN name AS host ON host.number = task.host"
              " LEFT JOIN name AS role ON role.number = task.role"
              " LEFT JOIN name AS title ON title.number = task.task"
              " LEFT JOIN name AS path ON path.number = task.path"
              " WHERE step.run = (SELECT number FROM run WHERE id = ?1) ORDER BY step.seq, task.seq",
              run, &query, err) < 0)
        return -1;
    struct history_bad *bad = NULL;
    size_t length = 0;
    int row, step = -1, seen = 0;
    while ((row = sql_step(query, err)) > 0) {
        int seq = (int)sql_integer(query, 0);
        seen = seq == step ? seen + 1 : 1;
        step = seq;
        if (seen > limit)
            continue;
        struct history_bad *one = grow((void **)&bad, &length, sizeof *bad);
        int64_t flags = sql_integer(query, 7);
        *one = (struct history_bad){.step = seq,
                                    .host = column(query, 1),
                                    .role = column(query, 2),
                                    .task = column(query, 3),
                                    .path = column(query, 4),
                                    .message = column(query, 5),
                                    .unreachable = sql_integer(query, 6) == 4,
                                    .ignored = flags & 1,
                                    .rescued = flags & 2,
                                    .started_ns = sql_integer(query, 8),
                                    .duration_ns = sql_integer(query, 9)};
    }
    if (row < 0) {
        history_bad_free(bad, length);
        return -1;
    }
    *out = bad;
    *count = length;
    return 0;
}

void history_bad_free(struct history_bad *bad, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(bad[i].host);
        free(bad[i].role);
        free(bad[i].task);
        free(bad[i].path);
        free(bad[i].message);
    }
    free(bad);
}

int history_names(struct sql *db, const char *run, struct words *out, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    int row;
    if (start(db,
              "WITH of_run AS (SELECT host, play, role, task FROM step CROSS JOIN task ON task.step = "
              "step.number"
              " WHERE step.run = (SELECT number FROM run WHERE id = ?1))"
              " SELECT text FROM name WHERE number IN (SELECT host FROM of_run UNION SELECT play FROM of_run"
              " UNION SELECT role FROM of_run UNION SELECT task FROM of_run) ORDER BY number",
              run, &query, err) < 0)
        return -1;
    while ((row = sql_step(query, err)) > 0)
        words_add(out, sql_text(query, 0));
    return row;
}

int history_events(struct sql *db, const char *run, int64_t after, struct history_event **out, size_t *count,
                   struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    if (start(db,
              "SELECT event.number, event.at_ns, coalesce(event.step, 0), step.name, event.kind,"
              " CASE event.kind WHEN 'unreachable' THEN json_object('host', host, 'task', task,"
              " 'cause', event.cause, 'cause_source', cause_source, 'message', event.message,"
              " 'ignored', json(iif(event.ignored, 'true', 'false')), 'transport', event.transport)"
              " ELSE detail END"
              " FROM event LEFT JOIN step ON step.run = event.run AND step.seq = event.step"
              " WHERE event.run = (SELECT number FROM run WHERE id = ?1) AND event.number > ?2"
              " ORDER BY event.number",
              run, &query, err) < 0)
        return -1;
    sql_bind_integer(query, 2, after);
    struct history_event *events = NULL;
    size_t length = 0;
    int row;
    while ((row = sql_step(query, err)) > 0) {
        struct history_event *one = grow((void **)&events, &length, sizeof *events);
        *one = (struct history_event){.number = sql_integer(query, 0),
                                      .at_ns = sql_integer(query, 1),
                                      .step = (int)sql_integer(query, 2),
                                      .step_name = column(query, 3),
                                      .kind = column(query, 4),
                                      .detail = column(query, 5)};
    }
    if (row < 0) {
        history_events_free(events, length);
        return -1;
    }
    *out = events;
    *count = length;
    return 0;
}

void history_events_free(struct history_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(events[i].step_name);
        free(events[i].kind);
        free(events[i].detail);
    }
    free(events);
}
