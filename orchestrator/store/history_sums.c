#include "store/history_sums.h"

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "store/grouping.h"
#include "store/history.h"

#include <string.h>

#define NONE INT64_MIN /* in a key: NULL, or what is not grouped by */

/* What is known of one key: role, task, path and host by their numbers. */
struct sum {
    int64_t key[GROUPING_KEYS];
    int64_t n, ok, changed, failed, bad, skipped, total, longest, first, wall;
    int64_t run, run_first, run_last; /* the run met last, from its first task to its last one */
    uint32_t names[GROUPING_KEYS];    /* rows of `names` */
};

/* A word and its place among those that are used. */
struct name {
    int64_t key[GROUPING_KEYS]; /* the number, and nothing else */
    char *text;                 /* NULL: there is none */
    uint32_t place;
};

struct adding {
    enum history_by by;
    struct grouping *sums, *names;
    struct sum whole;
};

enum { ROLE, TASK, PATH, HOST };

/* As number_add: where a length has no room it stays at the end of it. */
static int64_t span(int64_t from, int64_t to)
{
    int64_t length;
    return __builtin_sub_overflow(to, from, &length) ? (to < from ? INT64_MIN : INT64_MAX) : length;
}

static void end_run(struct sum *sum)
{
    if (sum->run)
        sum->wall = number_add(sum->wall, span(sum->run_first, sum->run_last));
}

struct task {
    int64_t run, status, flags, started, duration;
    bool last; /* of the last attempt of its phase */
};

static void add_task(struct sum *sum, const struct task *task)
{
    int64_t end = number_add(task->started, task->duration);
    if (sum->run != task->run) {
        end_run(sum);
        sum->run = task->run;
        sum->run_first = task->started;
        sum->run_last = end;
    }
    sum->run_first = task->started < sum->run_first ? task->started : sum->run_first;
    sum->run_last = end > sum->run_last ? end : sum->run_last;
    sum->first = !sum->n || task->started < sum->first ? task->started : sum->first;
    sum->longest = !sum->n || task->duration > sum->longest ? task->duration : sum->longest;
    sum->total = number_add(sum->total, task->duration);
    sum->n++;
    sum->ok += task->status == 0;
    sum->changed += task->status == 1;
    sum->skipped += task->status == 2;
    sum->failed += task->status == 3;
    sum->bad += task->last && task->status >= 3 && !(task->flags & 1);
}

static int64_t number(struct sql_statement *row, int column)
{
    return sql_is_null(row, column) ? NONE : sql_integer(row, column);
}

static int add_step(struct adding *adding, struct sql_statement *tasks, const struct task *of_step,
                    struct error *err)
{
    int row;
    while ((row = sql_step(tasks, err)) > 0) {
        struct task task = *of_step;
        int64_t key[GROUPING_KEYS] = {number(tasks, 0), NONE, NONE, number(tasks, 1)};
        task.status = sql_integer(tasks, 2);
        task.duration = sql_integer(tasks, 3);
        if (adding->by == HISTORY_BY_TASK) {
            key[TASK] = number(tasks, 4);
            key[PATH] = number(tasks, 5);
        } else {
            task.flags = sql_integer(tasks, 4);
            task.started = sql_integer(tasks, 5);
            add_task(&adding->whole, &task);
        }
        add_task(grouping_find(adding->sums, key), &task);
    }
    sql_reset(tasks);
    return row;
}

/* One run after the other: what a role took in one of them is from its first task to its last. */
static int add_all(struct adding *adding, struct sql *db, const char *const *runs, struct error *err)
{
    static const char *const of_tasks[] = {
        [HISTORY_BY_ROLE] =
            "SELECT role, host, status, duration_ns, flags, started_ns FROM task WHERE step = ?1",
        [HISTORY_BY_TASK] = "SELECT role, host, status, duration_ns, task, path FROM task WHERE step = ?1",
    };
    AUTO_STATEMENT *steps = NULL, *tasks = NULL;
    AUTO_FREE char *list = history_ids(runs);
    if (sql_prepare(db,
                    "SELECT run, number, number = max(number) OVER (PARTITION BY run, name) FROM step"
                    " WHERE run IN (SELECT number FROM run WHERE id IN (SELECT value FROM json_each(?1)))"
                    " ORDER BY run, number",
                    &steps, err) < 0 ||
        sql_prepare(db, of_tasks[adding->by], &tasks, err) < 0)
        return -1;
    sql_bind_text(steps, 1, list);
    int row;
    while ((row = sql_step(steps, err)) > 0) {
        struct task of_step = {.run = sql_integer(steps, 0), .last = sql_integer(steps, 2) != 0};
        sql_bind_integer(tasks, 1, sql_integer(steps, 1));
        if (add_step(adding, tasks, &of_step, err) < 0)
            return -1;
    }
    return row;
}

/* ---- words ---- */

static int by_text(const void *a, const void *b)
{
    const struct name *const *one = a, *const *other = b;
    if (!(*one)->text || !(*other)->text)
        return ((*one)->text != NULL) - ((*other)->text != NULL);
    return strcmp((*one)->text, (*other)->text);
}

/* Each word once, however many rows have it; and its place in the order of all, so that rows are
 * compared by numbers. */
static int find_names(struct adding *adding, struct sql *db, struct error *err)
{
    static const int wanted[] = {ROLE, TASK, HOST};
    AUTO_STATEMENT *query = NULL;
    if (sql_prepare(db, "SELECT text FROM name WHERE number = ?1", &query, err) < 0)
        return -1;
    for (size_t i = 0; i < grouping_count(adding->sums); i++) {
        struct sum *sum = grouping_at(adding->sums, i);
        for (size_t k = 0; k < COUNT_OF(wanted); k++) {
            const int64_t key[GROUPING_KEYS] = {sum->key[wanted[k]]};
            struct name *name = grouping_find(adding->names, key);
            sum->names[wanted[k]] = (uint32_t)grouping_index(adding->names, name);
        }
    }
    size_t count = grouping_count(adding->names);
    AUTO_FREE struct name **order = xcalloc(count + 1, sizeof *order);
    for (size_t i = 0; i < count; i++) {
        order[i] = grouping_at(adding->names, i);
        if (order[i]->key[0] == NONE)
            continue;
        sql_bind_integer(query, 1, order[i]->key[0]);
        int row = sql_step(query, err);
        if (row < 0)
            return -1;
        order[i]->text = row ? xstrdup_or_null(sql_text(query, 0)) : NULL;
        sql_reset(query);
    }
    qsort(order, count, sizeof *order, by_text);
    for (size_t i = 0; i < count; i++)
        order[i]->place = i && by_text(&order[i - 1], &order[i]) == 0 ? order[i - 1]->place : (uint32_t)i;
    return 0;
}

static const struct name *name_of(const struct adding *adding, const struct sum *sum, int which)
{
    return grouping_at(adding->names, sum->names[which]);
}

/* ---- in their order ---- */

static int compare(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* The longest first, then by their names; the numbers decide what is called the same. */
static int order(const void *a, const void *b, void *context)
{
    const struct adding *adding = context;
    const struct sum *one = grouping_at(adding->sums, *(const uint32_t *)a),
                     *other = grouping_at(adding->sums, *(const uint32_t *)b);
    int title = adding->by == HISTORY_BY_TASK ? TASK : ROLE;
    int result = compare(other->total, one->total);
    if (!result)
        result = compare(name_of(adding, one, title)->place, name_of(adding, other, title)->place);
    if (!result)
        result = compare(name_of(adding, one, HOST)->place, name_of(adding, other, HOST)->place);
    for (size_t i = 0; !result && i < GROUPING_KEYS; i++)
        result = compare(one->key[i], other->key[i]);
    return result;
}

/* A heap whose first is the last in order: puts what stands at `at` in its place. */
static void sink(uint32_t *heap, size_t count, size_t at, struct adding *adding)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && order(&heap[child + 1], &heap[child], adding) > 0)
            child++;
        if (order(&heap[at], &heap[child], adding) >= 0)
            return;
        uint32_t held = heap[at];
        heap[at] = heap[child];
        heap[child] = held;
    }
}

/* The first of them in order, at most so many; how many those are. */
static size_t choose(struct adding *adding, size_t most, uint32_t *out)
{
    size_t count = grouping_count(adding->sums), kept = count < most ? count : most;
    for (size_t i = 0; i < kept; i++)
        out[i] = (uint32_t)i;
    for (size_t i = kept < count ? kept / 2 : 0; i--;)
        sink(out, kept, i, adding);
    for (uint32_t i = (uint32_t)kept; i < count; i++)
        if (order(&i, &out[0], adding) < 0) {
            out[0] = i;
            sink(out, kept, 0, adding);
        }
    qsort_r(out, kept, sizeof *out, order, adding);
    return kept;
}

/* The worst that became of it. */
static const char *status_of(const struct sum *sum)
{
    return sum->bad ? "failed" : sum->changed ? "changed" : sum->skipped == sum->n ? "skipped" : "ok";
}

static void tell(const struct adding *adding, const struct sum *sum, struct history_sum *out)
{
    *out = (struct history_sum){.n = sum->n,
                                .ok = sum->ok,
                                .changed = sum->changed,
                                .failed = sum->failed,
                                .sum_ns = sum->total,
                                .max_ns = sum->longest,
                                .whole = sum == &adding->whole};
    if (out->whole) {
        out->name = xstrdup("all");
    } else {
        const char *role = name_of(adding, sum, ROLE)->text, *title = name_of(adding, sum, TASK)->text;
        bool by_task = adding->by == HISTORY_BY_TASK;
        out->name = by_task && role ? xasprintf("%s : %s", role, title ? title : "")
                                    : xstrdup_or_null(by_task ? title : role);
        out->host = xstrdup_or_null(name_of(adding, sum, HOST)->text);
    }
    if (adding->by == HISTORY_BY_TASK)
        return;
    struct sum ended = *sum;
    end_run(&ended);
    out->status = status_of(sum);
    out->started_ns = sum->first;
    out->wall_ns = ended.wall;
}

static void tell_all(struct adding *adding, size_t most, struct history_sums *out)
{
    size_t count = grouping_count(adding->sums);
    bool limited = most && adding->by == HISTORY_BY_TASK;
    AUTO_FREE uint32_t *chosen = xcalloc(count + 1, sizeof *chosen);
    size_t kept = choose(adding, limited ? most : count, chosen);
    *out = (struct history_sums){.rows = xcalloc(kept + 1, sizeof *out->rows), .left_out = count - kept};
    for (size_t i = 0; out->left_out && i < count; i++)
        out->left_out_ns = number_add(out->left_out_ns, ((struct sum *)grouping_at(adding->sums, i))->total);
    for (size_t i = 0; i < kept; i++, out->count++) {
        const struct sum *sum = grouping_at(adding->sums, chosen[i]);
        tell(adding, sum, &out->rows[i]);
        if (out->left_out)
            out->left_out_ns = span(sum->total, out->left_out_ns);
    }
    if (adding->whole.n)
        tell(adding, &adding->whole, &out->rows[out->count++]);
}

int history_sums(struct sql *db, const char *const *runs, enum history_by by, size_t most,
                 struct history_sums *out, struct error *err)
{
    struct adding adding = {.by = by,
                            .sums = grouping_new(sizeof(struct sum)),
                            .names = grouping_new(sizeof(struct name))};
    int result = add_all(&adding, db, runs, err);
    if (result == 0)
        result = find_names(&adding, db, err);
    if (result == 0)
        tell_all(&adding, most, out);
    for (size_t i = 0; i < grouping_count(adding.names); i++)
        free(((struct name *)grouping_at(adding.names, i))->text);
    grouping_free(adding.sums);
    grouping_free(adding.names);
    return result < 0 ? -1 : 0;
}

void history_sums_clear(struct history_sums *sums)
{
    for (size_t i = 0; i < sums->count; i++) {
        free(sums->rows[i].name);
        free(sums->rows[i].host);
    }
    free(sums->rows);
    *sums = (struct history_sums){0};
}
