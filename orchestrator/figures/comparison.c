#include "figures/comparison.h"

#include "base/memory.h"
#include "base/text.h"
#include "format/json_words.h"

#include <string.h>

/* ---------------------------------------------------------------- rows */

/* A duration that no clock can have measured comes from a merged store and is no figure. */
#define SANE " BETWEEN 0 AND 315360000000000000"
#define OF_STEP                                                                          \
    " FROM step JOIN run ON run.number = step.run WHERE run.id IN (SELECT id FROM side)" \
    " AND step.kind = 'phase' AND step.outcome = 'ok' AND step.attempt = 1 AND step.duration_ns" SANE
#define KEYS "level, step, role, task, target, recipe, fresh, ansible, digest, transport, accelerated"

/* One row for each value. Words are joined after the sums, as in history_detail. */
static const char values_of[] =
    "WITH side (id, after) AS (SELECT value, 0 FROM json_each(?1) UNION ALL SELECT value, 1 FROM "
    "json_each(?2)),"
    " chosen AS MATERIALIZED (SELECT step.number AS number, run.id AS run, step.seq AS seq, step.name AS "
    "step,"
    "  run.target AS target, run.recipe AS recipe, run.fresh AS fresh, run.ansible AS ansible,"
    "  run.extra_digest AS digest, step.transport AS transport, "
    "  coalesce(step.accelerated, 'warm') AS accelerated, step.duration_ns AS ns" OF_STEP "),"
    " part AS (SELECT step, role, NULL AS task, CAST(total(duration_ns) AS INTEGER) AS ns FROM task"
    "   WHERE step IN (SELECT number FROM chosen) AND role IS NOT NULL AND duration_ns" SANE
    "   GROUP BY step, role"
    "  UNION ALL SELECT step, role, task, CAST(total(duration_ns) AS INTEGER) FROM task"
    "   WHERE step IN (SELECT number FROM chosen) AND task IS NOT NULL AND duration_ns" SANE
    "   GROUP BY step, role, task),"
    " item AS (SELECT 0 AS level, run, step, NULL AS role, NULL AS task, target, recipe, fresh, ansible,"
    "   digest, transport, accelerated, ns FROM chosen"
    "  UNION ALL SELECT iif(part.task IS NULL, 1, 2), run, chosen.step, role.text, title.text, target, "
    "recipe,"
    "   fresh, ansible, digest, transport, accelerated, part.ns FROM part JOIN chosen ON chosen.number = "
    "part.step"
    "   LEFT JOIN name AS role ON role.number = part.role LEFT JOIN name AS title ON title.number = "
    "part.task)"
    " SELECT " KEYS ", side.after, ns FROM item JOIN side ON side.id = item.run ORDER BY " KEYS
    ", side.after";

/* What has to be the same for figures to compare, in the order of the statement's columns. */
enum {
    LEVEL,
    STEP,
    ROLE,
    TASK,
    TARGET,
    RECIPE,
    FRESH,
    ANSIBLE,
    DIGEST,
    TRANSPORT,
    ACCELERATED,
    KEY_COUNT,
    AFTER = KEY_COUNT,
    NS
};
static const char *const likenesses[KEY_COUNT] = {
    [TARGET] = "target",          [RECIPE] = "recipe",       [FRESH] = "fresh",
    [ANSIBLE] = "ansible",        [DIGEST] = "-e arguments", [TRANSPORT] = "transport",
    [ACCELERATED] = "accelerate",
};

struct gathered {
    char *keys[KEY_COUNT];
    /* values: before ones, then after ones; UNLIKE: `from` is of the before ones */
    size_t from, before, after;
    size_t after_from;
    bool dropped;
    char *differs;
};

struct gathering {
    struct gathered *items;
    size_t count, room;
    int64_t *values;
    size_t value_count, value_room;
};

static bool same_keys(struct sql_statement *query, const struct gathered *item)
{
    for (int i = 0; i < KEY_COUNT; i++)
        if (!text_is(sql_text(query, i), item->keys[i]))
            return false;
    return true;
}

static void take_value(struct gathering *all, struct sql_statement *query)
{
    if (!all->count || !same_keys(query, &all->items[all->count - 1])) {
        if (all->count == all->room) {
            all->room = all->room ? all->room * 2 : 64;
            all->items = xreallocarray(all->items, all->room, sizeof *all->items);
        }
        struct gathered *item = &all->items[all->count++];
        *item = (struct gathered){.from = all->value_count, .after_from = all->value_count};
        for (int i = 0; i < KEY_COUNT; i++)
            item->keys[i] = xstrdup_or_null(sql_text(query, i));
    }
    struct gathered *item = &all->items[all->count - 1];
    if (all->value_count == all->value_room) {
        all->value_room = all->value_room ? all->value_room * 2 : 1024;
        all->values = xreallocarray(all->values, all->value_room, sizeof *all->values);
    }
    all->values[all->value_count++] = sql_integer(query, NS);
    if (sql_integer(query, AFTER)) {
        item->after++;
    } else {
        item->before++;
        item->after_from++;
    }
}

static void gathering_clear(struct gathering *all)
{
    for (size_t i = 0; i < all->count; i++) {
        for (int k = 0; k < KEY_COUNT; k++)
            free(all->items[i].keys[k]);
        free(all->items[i].differs);
    }
    free(all->items);
    free(all->values);
}

static char *id_list(const struct words *runs)
{
    AUTO_JSON *list = json_words_array(runs);
    return json_compact(list);
}

static int gather(struct sql *db, const struct comparison *comparison, struct gathering *all,
                  struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    AUTO_FREE char *before = id_list(&comparison->before.runs), *after = id_list(&comparison->after.runs);
    if (sql_prepare(db, values_of, &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, before);
    sql_bind_text(query, 2, after);
    int row;
    while ((row = sql_step(query, err)) > 0)
        take_value(all, query);
    return row;
}

static bool same_thing(const struct gathered *a, const struct gathered *b)
{
    for (int i = 0; i <= TASK; i++)
        if (!text_is(a->keys[i], b->keys[i]))
            return false;
    return true;
}

static const char *shown(int key, const char *value)
{
    if (!value)
        return "none";
    return key == FRESH ? (text_is(value, "1") ? "yes" : "no") : value;
}

/* One thing on both sides, but not alike: shown together, with what differs. */
static void pair_unlike(struct gathering *all)
{
    for (size_t i = 0; i < all->count; i++) {
        struct gathered *after = &all->items[i];
        if (after->before || !after->after)
            continue;
        size_t first = i;
        while (first > 0 && same_thing(&all->items[first - 1], after))
            first--;
        for (size_t k = first; k < all->count && same_thing(&all->items[k], after); k++) {
            struct gathered *before = &all->items[k];
            if (k == i || before->after || before->dropped || before->differs)
                continue;
            AUTO_TEXT differs = TEXT_INIT;
            for (int key = TARGET; key < KEY_COUNT; key++)
                if (!text_is(before->keys[key], after->keys[key]))
                    text_addf(&differs, "%s%s %s and %s", differs.length ? ", " : "", likenesses[key],
                              shown(key, before->keys[key]), shown(key, after->keys[key]));
            after->from = before->from;
            after->before = before->before;
            after->differs = text_take(&differs);
            before->dropped = true;
            break;
        }
    }
}

static int by_verdict(const void *a, const void *b)
{
    const struct comparison_row *left = a, *right = b;
    bool left_slower = left->judged.verdict == REGRESSION_SLOWER,
         right_slower = right->judged.verdict == REGRESSION_SLOWER;
    if (left_slower != right_slower)
        return left_slower ? -1 : 1;
    if (left->judged.level != right->judged.level)
        return left->judged.level < right->judged.level ? -1 : 1;
    if (left->judged.shift_ns != right->judged.shift_ns)
        return left->judged.shift_ns > right->judged.shift_ns ? -1 : 1;
    int order = strcmp(left->step, right->step);
    return order ? order : strcmp(left->task ? left->task : "", right->task ? right->task : "");
}

static void judge(struct comparison *comparison)
{
    AUTO_FREE struct regression *judged = xcalloc(comparison->count ? comparison->count : 1, sizeof *judged);
    for (size_t i = 0; i < comparison->count; i++)
        judged[i] = comparison->rows[i].judged;
    regression_judge(judged, comparison->count);
    for (size_t i = 0; i < comparison->count; i++) {
        comparison->rows[i].judged = judged[i];
        comparison->slower += judged[i].verdict == REGRESSION_SLOWER;
        comparison->judged +=
            judged[i].verdict == REGRESSION_SLOWER || judged[i].verdict == REGRESSION_NOT_SLOWER;
    }
    if (comparison->count)
        qsort(comparison->rows, comparison->count, sizeof *comparison->rows, by_verdict);
}

/* `unlike`: what is alike on neither side is shown all the same; else only what the after side has. */
static int load_rows(struct sql *db, bool unlike, struct comparison *comparison, struct error *err)
{
    struct gathering all = {0};
    if (gather(db, comparison, &all, err) < 0) {
        gathering_clear(&all);
        return -1;
    }
    if (unlike)
        pair_unlike(&all);
    comparison->values = TAKE(all.values);
    comparison->rows = xcalloc(all.count ? all.count : 1, sizeof *comparison->rows);
    for (size_t i = 0; i < all.count; i++) {
        struct gathered *item = &all.items[i];
        if (item->dropped || (!item->after && !unlike))
            continue;
        comparison->rows[comparison->count++] = (struct comparison_row){
            .judged = {.level = (enum regression_level)strtol(item->keys[LEVEL], NULL, 10),
                       .before = comparison->values + item->from,
                       .after = comparison->values + item->after_from,
                       .before_count = item->before,
                       .after_count = item->after,
                       .verdict = item->differs ? REGRESSION_UNLIKE : REGRESSION_TOO_FEW},
            .step = TAKE(item->keys[STEP]),
            .role = TAKE(item->keys[ROLE]),
            .task = TAKE(item->keys[TASK]),
            .transport = TAKE(item->keys[TRANSPORT]),
            .accelerated = TAKE(item->keys[ACCELERATED]),
            .differs = TAKE(item->differs)};
    }
    gathering_clear(&all);
    judge(comparison);
    return 0;
}

/* ---------------------------------------------------------------- which runs */

int comparison_compare(struct sql *db, const char *before, const char *after, const char *target,
                       struct comparison *out, struct error *err)
{
    AUTO_FREE char *left = NULL, *right = NULL;
    struct comparison made = {.before = {.runs = WORDS_INIT}, .after = {.runs = WORDS_INIT}};
    if (comparison_side_find(db, before, target, &left, err) < 0 ||
        comparison_side_find(db, after, target, &right, err) < 0)
        return -1;
    if (text_is(left, right))
        return error_set(err, ERROR_USAGE, "'%s' and '%s' are the same: there is nothing to compare", before,
                         after);
    if (comparison_side_load(db, left, &made.before, err) < 0 ||
        comparison_side_load(db, right, &made.after, err) < 0 || load_rows(db, true, &made, err) < 0) {
        comparison_clear(&made);
        return -1;
    }
    *out = made;
    return 0;
}

static int against_earlier(struct sql *db, const char *unit, bool grouped, struct comparison *out,
                           struct error *err)
{
    struct comparison made = {.before = {.runs = WORDS_INIT}, .after = {.runs = WORDS_INIT}};
    if (comparison_side_load(db, unit, &made.after, err) < 0 ||
        comparison_side_earlier(db, unit, grouped, &made.before, &made.others, err) < 0 ||
        load_rows(db, false, &made, err) < 0) {
        comparison_clear(&made);
        return -1;
    }
    *out = made;
    return 0;
}

int comparison_regress(struct sql *db, const char *after, const char *target, struct comparison *out,
                       struct error *err)
{
    AUTO_FREE char *unit = NULL;
    if (comparison_side_find(db, after ? after : "last", target, &unit, err) < 0)
        return -1;
    return against_earlier(db, unit, false, out, err);
}

int comparison_trend(struct sql *db, const char *group, struct comparison *out, struct error *err)
{
    return against_earlier(db, group, true, out, err);
}

void comparison_clear(struct comparison *comparison)
{
    comparison_side_clear(&comparison->before);
    comparison_side_clear(&comparison->after);
    for (size_t i = 0; i < comparison->count; i++) {
        free(comparison->rows[i].step);
        free(comparison->rows[i].role);
        free(comparison->rows[i].task);
        free(comparison->rows[i].transport);
        free(comparison->rows[i].accelerated);
        free(comparison->rows[i].differs);
    }
    free(comparison->rows);
    free(comparison->values);
    *comparison = (struct comparison){0};
}

const char *comparison_verdict(const struct comparison *comparison)
{
    return comparison->slower ? "slower" : comparison->judged ? "not-slower" : "too-little-data";
}
