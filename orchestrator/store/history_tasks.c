#include "store/history_tasks.h"

#include "base/memory.h"
#include "format/json.h"

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

/* Words are joined after the grouping: numbers are what a million rows are grouped by. total() cannot
 * overflow, as sum() could. */
#define COUNT_COLUMNS                                                                               \
    "count(*) AS n, sum(status = 0) AS ok, sum(status = 1) AS changed, sum(status = 3) AS failed, " \
    "CAST(total(task.duration_ns) AS INTEGER) AS total, max(task.duration_ns) AS longest"
#define SUM_COLUMNS                                                                                          \
    COUNT_COLUMNS " FROM task WHERE step IN (SELECT step.number FROM step JOIN run ON run.number = step.run" \
                  " WHERE run.id IN (SELECT value FROM json_each(?1)))"

/* Of a run each role on each host, then over the runs. What an attempt failed in that was made up for by
 * another counts no more. */
#define SUMMED_PARTS                                                                                   \
    "sum(n), sum(ok), sum(changed), sum(failed), CAST(total(total) AS INTEGER) AS total, max(longest)" \
    ", sum(bad), sum(skipped), min(first)"
static const char sums_by_role[] =
    "WITH chosen AS (SELECT step.number AS number, step.run AS run,"
    " step.number = max(step.number) OVER (PARTITION BY step.run, step.name) AS last"
    " FROM step JOIN run ON run.number = step.run WHERE run.id IN (SELECT value FROM json_each(?1))),"
    " part AS (SELECT chosen.run AS run, role, host, " COUNT_COLUMNS
    ", sum(chosen.last AND status >= 3 AND NOT flags & 1) AS bad, sum(status = 2) AS skipped,"
    " min(task.started_ns) AS first, max(task.started_ns + task.duration_ns) AS last"
    " FROM chosen CROSS JOIN task ON task.step = chosen.number GROUP BY chosen.run, role, host),"
    " whole AS (SELECT sum(n) AS n, sum(ok) AS ok, sum(changed) AS changed, sum(failed) AS failed,"
    " total(total) AS total, max(longest) AS longest, sum(bad) AS bad, sum(skipped) AS skipped,"
    " min(first) AS first, max(last) AS last FROM part GROUP BY run),"
    " named AS (SELECT 0 AS place, role.text AS title, host.text AS machine, part.* FROM part"
    " LEFT JOIN name AS role ON role.number = part.role LEFT JOIN name AS host ON host.number = part.host)"
    " SELECT place, title, machine, " SUMMED_PARTS ", CAST(total(last - first) AS INTEGER)"
    " FROM named GROUP BY role, host"
    " UNION ALL SELECT 1, 'all', NULL, " SUMMED_PARTS ", CAST(total(last - first) AS INTEGER)"
    " FROM whole"
    " ORDER BY place, total DESC, 2, 3";
static const char sums_by_task[] =
    "SELECT role.text, title.text, host.text, n, ok, changed, failed, total, longest"
    " FROM (SELECT role, task, path, host, " SUM_COLUMNS " GROUP BY role, task, path, host) AS part"
    " LEFT JOIN name AS role ON role.number = part.role LEFT JOIN name AS title ON title.number = part.task"
    " LEFT JOIN name AS host ON host.number = part.host"
    " ORDER BY total DESC, title.text, host.text";

/* The worst that became of it. */
static const char *status_of(int64_t bad, int64_t changed, int64_t skipped, int64_t n)
{
    return bad ? "failed" : changed ? "changed" : skipped == n ? "skipped" : "ok";
}

int history_sums(struct sql *db, const char *const *runs, enum history_by by, struct history_sum **out,
                 size_t *count, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    AUTO_JSON *ids = json_new_array();
    for (; *runs; runs++)
        json_append(ids, json_new_string(*runs));
    AUTO_FREE char *list = json_compact(ids);
    if (start(db, by == HISTORY_BY_ROLE ? sums_by_role : sums_by_task, list, &query, err) < 0)
        return -1;
    struct history_sum *sums = NULL;
    size_t length = 0;
    int row;
    while ((row = sql_step(query, err)) > 0) {
        if (!sql_integer(query, 3)) /* all of nothing */
            continue;
        struct history_sum *one = grow((void **)&sums, &length, sizeof *sums);
        const char *role = by == HISTORY_BY_TASK ? sql_text(query, 0) : NULL, *name = sql_text(query, 1);
        one->name = role ? xasprintf("%s : %s", role, name ? name : "") : xstrdup_or_null(name);
        one->host = column(query, 2);
        int64_t *const numbers[] = {&one->n,      &one->ok,     &one->changed,
                                    &one->failed, &one->sum_ns, &one->max_ns};
        for (size_t i = 0; i < COUNT_OF(numbers); i++)
            *numbers[i] = sql_integer(query, 3 + (int)i);
        if (by == HISTORY_BY_TASK)
            continue;
        one->whole = sql_integer(query, 0);
        one->status = status_of(sql_integer(query, 9), one->changed, sql_integer(query, 10), one->n);
        one->started_ns = sql_integer(query, 11);
        one->wall_ns = sql_integer(query, 12);
    }
    if (row < 0) {
        history_sums_free(sums, length);
        return -1;
    }
    *out = sums;
    *count = length;
    return 0;
}

void history_sums_free(struct history_sum *sums, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(sums[i].name);
        free(sums[i].host);
    }
    free(sums);
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
