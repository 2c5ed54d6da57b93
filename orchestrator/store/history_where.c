#include "store/history_where.h"

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "store/history.h"

#include <stdlib.h>
#include <string.h>

struct span {
    int64_t from, to;
    enum where where;
};

struct spans {
    struct span *items;
    size_t count, room;
};

struct place {
    struct history_where *rows;
    size_t count;
};

/* What a task's action does without a host; its last word, since ansible.builtin. may stand before it. */
static enum where where_of(const char *action, int64_t status)
{
    static const char *const by_itself[] = {"add_host",     "assert",       "debug",
                                            "fail",         "group_by",     "import_role",
                                            "import_tasks", "include_role", "include_tasks",
                                            "include_vars", "meta",         "pause",
                                            "set_fact",     "set_stats",    "validate_argument_spec"};
    enum { SKIPPED = 2 };
    const char *dot = action ? strrchr(action, '.') : NULL, *word = dot ? dot + 1 : action;
    if (text_is(word, "setup") || text_is(word, "gather_facts"))
        return status == SKIPPED ? WHERE_CONTROLLER : WHERE_FACTS;
    for (size_t i = 0; i < COUNT_OF(by_itself); i++)
        if (text_is(word, by_itself[i]))
            return WHERE_CONTROLLER;
    return status == SKIPPED ? WHERE_CONTROLLER : WHERE_HOST;
}

/* What lies outside of the step is a clock's that was set meanwhile. */
static int64_t within(int64_t at, int64_t from, int64_t to)
{
    return at < from ? from : at > to ? to : at;
}

static void add_span(struct spans *spans, struct span span)
{
    if (spans->count == spans->room) {
        spans->room = spans->room ? spans->room * 2 : 64;
        spans->items = xreallocarray(spans->items, spans->room, sizeof *spans->items);
    }
    spans->items[spans->count++] = span;
}

static int by_begin(const void *a, const void *b)
{
    const struct span *one = a, *other = b;
    return one->from < other->from ? -1 : one->from > other->from;
}

/* The time in which at least one of a kind up to `most` ran; the spans are sorted. */
static int64_t covered(const struct spans *spans, enum where most)
{
    int64_t sum = 0, until = INT64_MIN;
    for (size_t i = 0; i < spans->count; i++) {
        const struct span *span = &spans->items[i];
        if (span->where > most || span->to <= until)
            continue;
        sum += span->to - (span->from > until ? span->from : until);
        until = span->to;
    }
    return sum;
}

static void divide(struct spans *spans, int64_t from, int64_t to, struct history_where *row)
{
    int64_t first = to, last = to;
    row->n++;
    row->whole_ns = number_add(row->whole_ns, to - from);
    if (spans->count) {
        qsort(spans->items, spans->count, sizeof *spans->items, by_begin);
        first = spans->items[0].from;
        last = first;
    }
    for (size_t i = 0; i < spans->count; i++) {
        last = spans->items[i].to > last ? spans->items[i].to : last;
        row->tasks[spans->items[i].where]++;
    }
    int64_t facts = covered(spans, WHERE_FACTS), hosts = covered(spans, WHERE_HOST),
            all = covered(spans, WHERE_CONTROLLER);
    const int64_t parts[WHERE_COUNT] = {
        [WHERE_START] = first - from,         [WHERE_FACTS] = facts,
        [WHERE_HOST] = hosts - facts,         [WHERE_CONTROLLER] = all - hosts,
        [WHERE_BETWEEN] = last - first - all, [WHERE_END] = to - last};
    for (int i = 0; i < WHERE_COUNT; i++)
        row->ns[i] = number_add(row->ns[i], parts[i]);
}

static struct history_where *row_of(struct place *place, const char *phase)
{
    for (size_t i = 0; i < place->count; i++)
        if (text_is(place->rows[i].phase, phase))
            return &place->rows[i];
    place->rows =
        xreallocarray(place->rows, place->count + 2, sizeof *place->rows); /* the sum comes behind */
    place->rows[place->count] = (struct history_where){.phase = xstrdup(phase)};
    return &place->rows[place->count++];
}

static int read_step(struct sql_statement *tasks, int64_t from, int64_t to, struct spans *spans,
                     struct error *err)
{
    int row;
    spans->count = 0;
    while ((row = sql_step(tasks, err)) > 0) {
        int64_t begun = sql_integer(tasks, 0), ended;
        if (__builtin_add_overflow(begun, sql_integer(tasks, 1), &ended))
            ended = to;
        begun = within(begun, from, to);
        add_span(spans, (struct span){begun, within(ended, begun, to),
                                      where_of(sql_text(tasks, 2), sql_integer(tasks, 3))});
    }
    sql_reset(tasks);
    return row;
}

static int read_all(struct sql *db, const char *list, struct place *place, struct spans *spans,
                    struct error *err)
{
    AUTO_STATEMENT *steps = NULL, *tasks = NULL;
    if (sql_prepare(
            db,
            "SELECT number, name, started_ns, duration_ns FROM step WHERE kind = 'phase' AND duration_ns >= 0"
            " AND run IN (SELECT number FROM run WHERE id IN (SELECT value FROM json_each(?1)))"
            " ORDER BY run, seq",
            &steps, err) < 0 ||
        sql_prepare(
            db,
            "SELECT started_ns, duration_ns, text, status FROM task LEFT JOIN name ON name.number = action"
            " WHERE step = ?1",
            &tasks, err) < 0)
        return -1;
    sql_bind_text(steps, 1, list);
    int row;
    while ((row = sql_step(steps, err)) > 0) {
        int64_t from = sql_integer(steps, 2), to;
        if (__builtin_add_overflow(from, sql_integer(steps, 3), &to))
            continue; /* a foreign store's */
        sql_bind_integer(tasks, 1, sql_integer(steps, 0));
        if (read_step(tasks, from, to, spans, err) < 0)
            return -1;
        divide(spans, from, to, row_of(place, sql_text(steps, 1)));
    }
    return row;
}

static void add_sum(struct place *place)
{
    struct history_where sum = {.phase = NULL};
    for (size_t i = 0; i < place->count; i++) {
        const struct history_where *row = &place->rows[i];
        sum.n += row->n;
        sum.whole_ns = number_add(sum.whole_ns, row->whole_ns);
        for (int k = 0; k < WHERE_COUNT; k++) {
            sum.ns[k] = number_add(sum.ns[k], row->ns[k]);
            sum.tasks[k] += row->tasks[k];
        }
    }
    place->rows[place->count++] = sum;
}

int history_where(struct sql *db, const char *const *runs, struct history_where **out, size_t *count,
                  struct error *err)
{
    AUTO_FREE char *list = history_ids(runs);
    struct place place = {.rows = NULL};
    struct spans spans = {.items = NULL};
    int result = read_all(db, list, &place, &spans, err);
    free(spans.items);
    if (result < 0) {
        history_where_free(place.rows, place.count);
        return -1;
    }
    if (place.count)
        add_sum(&place);
    *out = place.rows;
    *count = place.count;
    return 0;
}

void history_where_free(struct history_where *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(rows[i].phase);
    free(rows);
}
