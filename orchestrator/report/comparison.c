#include "report/comparison.h"

#include "base/memory.h"
#include "base/moment.h"

#include <string.h>

enum { DEEPEST = 8 };

static char *name_of(const struct comparison_row *row)
{
    switch (row->judged.level) {
    case REGRESSION_PHASE:
        return xstrdup(row->step);
    case REGRESSION_ROLE:
        return xasprintf("%s: %s", row->step, row->role);
    default:
        return xasprintf("%s: %s%s%s", row->step, row->role ? row->role : "", row->role ? " : " : "",
                         row->task);
    }
}

static void add_duration(struct table *table, int64_t ns, bool known)
{
    AUTO_FREE char *text = known ? duration_show(ns < 0 ? -ns : ns) : NULL;
    table_addf(table, TABLE_PLAIN, "%s%s", known && ns < 0 ? "-" : "", text ? text : "-");
}

static enum table_style style_of(enum regression_verdict verdict)
{
    return verdict == REGRESSION_SLOWER       ? TABLE_BAD
           : verdict == REGRESSION_NOT_SLOWER ? TABLE_GOOD
                                              : TABLE_DIM;
}

static const char *verdict_of(const struct comparison_row *row)
{
    if (!row->judged.before_count)
        return "only after";
    return row->judged.after_count ? regression_verdict_name(row->judged.verdict) : "only before";
}

/* A phase is always shown; of the many others only what is news. */
static bool is_shown(const struct comparison_row *row)
{
    return row->judged.level == REGRESSION_PHASE || row->judged.verdict == REGRESSION_SLOWER;
}

static struct table *rows_table(const struct comparison *comparison)
{
    static const struct table_column columns[] = {
        {.title = "verdict"},
        {.title = "what"},
        {.title = "name", .shrinks = 16},
        {.title = "transport", .drop = 3, .shrinks = 11},
        {.title = "n", .right = true, .drop = 4},
        {.title = "before", .right = true},
        {.title = "n", .right = true, .drop = 4},
        {.title = "after", .right = true},
        {.title = "slower by", .right = true},
        {.title = "%", .right = true},
        {.title = "p", .right = true, .drop = 1},
        {.title = "test", .drop = 2},
    };
    struct table *table = table_new(columns, COUNT_OF(columns));
    for (size_t i = 0; i < comparison->count; i++) {
        const struct comparison_row *row = &comparison->rows[i];
        const struct regression *judged = &row->judged;
        bool both = judged->before_count && judged->after_count;
        AUTO_FREE char *name = name_of(row);
        const char *test = regression_test_name(judged->test);
        if (!is_shown(row))
            continue;
        table_add(table, verdict_of(row), style_of(judged->verdict));
        table_add(table, regression_level_name(judged->level), TABLE_PLAIN);
        table_add(table, name, TABLE_BOLD);
        table_add(table, row->transport, TABLE_PLAIN);
        table_addf(table, TABLE_DIM, "%zu", judged->before_count);
        add_duration(table, judged->before_median_ns, judged->before_count > 0);
        table_addf(table, TABLE_DIM, "%zu", judged->after_count);
        add_duration(table, judged->after_median_ns, judged->after_count > 0);
        add_duration(table, judged->shift_ns, both);
        if (both && judged->before_median_ns)
            table_addf(table, TABLE_PLAIN, "%+.0f",
                       (double)judged->shift_ns * 100 / (double)judged->before_median_ns);
        else
            table_add(table, "-", TABLE_DIM);
        if (judged->p < 0)
            table_add(table, "-", TABLE_DIM);
        else
            table_addf(table, TABLE_DIM, judged->p < 0.0001 ? "%.1e" : "%.4f", judged->p);
        table_add(table, test ? test : "-", TABLE_DIM);
    }
    return table;
}

/* ---------------------------------------------------------------- evidence */

struct fact {
    char *name, *before, *after;
};

struct facts_of_both {
    struct fact *items;
    size_t count;
};

static void put_fact(struct facts_of_both *facts, const char *name, char *value, bool after)
{
    struct fact *fact = NULL;
    for (size_t i = 0; i < facts->count && !fact; i++)
        if (text_is(facts->items[i].name, name))
            fact = &facts->items[i];
    if (!fact) {
        facts->items = xreallocarray(facts->items, facts->count + 1, sizeof *facts->items);
        fact = &facts->items[facts->count++];
        *fact = (struct fact){.name = xstrdup(name)};
    }
    char **into = after ? &fact->after : &fact->before;
    free(*into);
    *into = value;
}

static const char *own_name(const struct json *item)
{
    /* A transport that was tried has a rung too: the one it came to. */
    const char *rung = json_get(item, "rungs") ? NULL : json_get_string(item, "rung", NULL);
    return rung ? rung : json_get_string(item, "transport", json_get_string(item, "name", NULL));
}

/* One line for each value within; an item of a list goes by its own name where it has one. */
static void flatten(struct facts_of_both *facts, const char *path, const struct json *value, bool after,
                    int depth)
{
    const char *key;
    struct json *member;
    if (depth > DEEPEST)
        return;
    if (json_is_object(value)) {
        const char *own = own_name(value);
        for (void *at = NULL; json_each(value, &at, &key, &member);) {
            AUTO_FREE char *name = xasprintf("%s%s%s", path, *path ? "." : "", key);
            if (!own || !text_is(own, json_string(member, NULL)))
                flatten(facts, text_is(key, "rungs") ? path : name, member, after, depth + 1);
        }
        return;
    }
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_count(value); i++) {
            const struct json *item = json_at(value, i);
            const char *own = own_name(item);
            AUTO_FREE char *name = own ? xasprintf("%s.%s", path, own) : xasprintf("%s.%zu", path, i + 1);
            flatten(facts, name, item, after, depth + 1);
        }
        return;
    }
    put_fact(facts, path, json_is_string(value) ? xstrdup(json_string(value, "")) : json_compact(value),
             after);
}

static void flatten_text(struct facts_of_both *facts, const char *text, bool after)
{
    AUTO_JSON *json = text ? json_parse(text, strlen(text), NULL) : NULL;
    if (json)
        flatten(facts, "", json, after, 0);
}

static struct table *evidence_table(const struct comparison *comparison)
{
    static const struct table_column columns[] = {{.title = "evidence", .shrinks = 24},
                                                  {.title = "before", .shrinks = 20},
                                                  {.title = "after", .shrinks = 20}};
    struct facts_of_both facts = {0};
    flatten_text(&facts, comparison->before.evidence, false);
    flatten_text(&facts, comparison->after.evidence, true);
    struct table *table = table_new(columns, COUNT_OF(columns));
    for (size_t i = 0; i < facts.count; i++) {
        struct fact *fact = &facts.items[i];
        bool same = text_is(fact->before, fact->after);
        table_add(table, fact->name, TABLE_DIM);
        table_add(table, fact->before ? fact->before : "-", same ? TABLE_DIM : TABLE_PLAIN);
        table_add(table, fact->after ? fact->after : "-", same ? TABLE_DIM : TABLE_PLAIN);
        free(fact->name);
        free(fact->before);
        free(fact->after);
    }
    free(facts.items);
    return table;
}

/* ---------------------------------------------------------------- words */

static void add_head(const struct comparison *comparison, struct text *out)
{
    const struct comparison_side *before = &comparison->before, *after = &comparison->after;
    text_addf(out, "%s%s%s against %s: ", after->target ? after->target : "", after->target ? "  " : "",
              after->name, before->name);
    if (comparison->slower)
        text_addf(out, "%zu of %zu got slower beyond noise\n", comparison->slower, comparison->judged);
    else if (comparison->judged)
        text_addf(out, "none of %zu got slower beyond noise\n", comparison->judged);
    else
        text_add(out, "too little data to judge\n");
}

static void add_differences(const struct comparison *comparison, struct text *out)
{
    AUTO_WORDS said = WORDS_INIT;
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->rows[i].differs)
            words_add(&said, comparison->rows[i].differs);
    words_sort_unique(&said);
    for (size_t i = 0; i < said.count; i++) {
        text_add(out, "not alike, so not judged: ");
        text_add_printable(out, said.items[i], strlen(said.items[i]));
        text_add(out, "\n");
    }
}

static void add_skipped(const struct comparison_side *side, struct text *out)
{
    if (!side->name || side->runs.count)
        return;
    if (side->skipped)
        text_addf(out, "%s holds no run that counts", side->name);
    else
        text_add(out, "no earlier run counts");
    text_add(out, ": whole runs that ended do, partial ones, resumes and destroys do not\n");
}

static void add_tail(const struct comparison *comparison, struct text *out)
{
    size_t few = 0;
    for (size_t i = 0; i < comparison->count; i++)
        few += comparison->rows[i].judged.verdict == REGRESSION_TOO_FEW;
    if (few || !comparison->judged)
        text_addf(
            out,
            "not judged for too few values: %zu; a single run wants %d alike ones before it, and of two "
            "cycles each some 6 to 8 rounds\n",
            few, REGRESSION_HISTORY);
    add_differences(comparison, out);
    if (comparison->others)
        text_addf(out, "%zu earlier %s left out: recipe, freshness, Ansible or -e arguments differ\n",
                  comparison->others, comparison->others == 1 ? "run is" : "runs are");
    else
        add_skipped(&comparison->before, out);
    add_skipped(&comparison->after, out);
}

void comparison_view(const struct comparison *comparison, bool evidence, const struct table_look *look,
                     struct text *out)
{
    AUTO_TABLE *rows = rows_table(comparison);
    text_add(out, look->markdown ? "### " : "");
    add_head(comparison, out);
    text_add(out, "\n");
    table_write(rows, look, out);
    text_add(out, "\n");
    add_tail(comparison, out);
    if (evidence) {
        AUTO_TABLE *facts = evidence_table(comparison);
        text_add(out, "\n");
        table_write(facts, look, out);
    }
}

/* ---------------------------------------------------------------- JSON */

static void set_ms(struct json *object, const char *key, int64_t ns, bool known)
{
    json_set(object, key, known ? json_new_real((double)ns / (double)NS_PER_MS) : json_new_null());
}

static struct json *side_json(const struct comparison_side *side, bool evidence)
{
    struct json *object = json_new_object(), *runs = json_new_array();
    json_set_string(object, "name", side->name);
    json_set_string(object, "target", side->target);
    for (size_t i = 0; i < side->runs.count; i++)
        json_append(runs, json_new_string(side->runs.items[i]));
    json_set(object, "runs", runs);
    if (evidence) {
        struct json *json = side->evidence ? json_parse(side->evidence, strlen(side->evidence), NULL) : NULL;
        json_set(object, "evidence", json ? json : json_new_null());
    }
    return object;
}

static struct json *row_json(const struct comparison_row *row)
{
    const struct regression *judged = &row->judged;
    struct json *object = json_new_object();
    json_set_string(object, "verdict", regression_verdict_name(judged->verdict));
    json_set_string(object, "level", regression_level_name(judged->level));
    json_set_string(object, "step", row->step);
    json_set_string(object, "role", row->role);
    json_set_string(object, "task", row->task);
    json_set_string(object, "transport", row->transport);
    json_set_integer(object, "before_n", (int64_t)judged->before_count);
    set_ms(object, "before_median_ms", judged->before_median_ns, judged->before_count > 0);
    json_set_integer(object, "after_n", (int64_t)judged->after_count);
    set_ms(object, "after_median_ms", judged->after_median_ns, judged->after_count > 0);
    set_ms(object, "shift_ms", judged->shift_ns, judged->before_count && judged->after_count);
    json_set_string(object, "test", regression_test_name(judged->test));
    json_set(object, "p", judged->p < 0 ? json_new_null() : json_new_real(judged->p));
    json_set_string(object, "differs", row->differs);
    return object;
}

struct json *comparison_json(const struct comparison *comparison, bool evidence)
{
    struct json *object = json_new_object(), *rows = json_new_array();
    json_set_integer(object, "version", 1);
    json_set_string(object, "verdict", comparison_verdict(comparison));
    json_set_integer(object, "slower", (int64_t)comparison->slower);
    json_set_integer(object, "judged", (int64_t)comparison->judged);
    json_set_integer(object, "not_judged", (int64_t)(comparison->count - comparison->judged));
    json_set_integer(object, "earlier_unlike", (int64_t)comparison->others);
    json_set(object, "before", side_json(&comparison->before, evidence));
    json_set(object, "after", side_json(&comparison->after, evidence));
    for (size_t i = 0; i < comparison->count; i++)
        json_append(rows, row_json(&comparison->rows[i]));
    json_set(object, "rows", rows);
    return object;
}
