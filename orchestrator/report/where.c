#include "report/where.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/number.h"
#include "base/text.h"
#include "report/json_parts.h"

/* A task without pipelining against one with it, measured on one host: 284 ms and 215 ms. */
#define FILE_TRANSFER_NS (69 * NS_PER_MS)
#define SAVING_LEAST     (300 * NS_PER_MS)

static char *of_facts(const struct report_wheres *wheres, int64_t *saving)
{
    int64_t others = 0, phases = 0;
    for (size_t i = 0; i + 1 < wheres->count; i++) {
        int64_t facts = wheres->rows[i].ns[WHERE_FACTS];
        if (!wheres->rows[i].tasks[WHERE_FACTS])
            continue;
        others = phases++ ? number_add(others, facts) : 0;
    }
    *saving = others / (int64_t)wheres->runs;
    return xasprintf(
        "facts are gathered in %lld phases: 'facts: cached' in a recipe's file gathers them once",
        (long long)phases);
}

static char *of_pipelining(const struct report_wheres *wheres, int64_t *saving)
{
    const int64_t *tasks = wheres->rows[wheres->count - 1].tasks;
    *saving = wheres->no_pipelining
                  ? (tasks[WHERE_HOST] + tasks[WHERE_FACTS]) * FILE_TRANSFER_NS / (int64_t)wheres->runs
                  : 0;
    return xasprintf("pipelining is off (%s): each task copies its module to the host first",
                     wheres->setting ? wheres->setting : "by the settings of Ansible");
}

char *report_where_hint(const struct report_wheres *wheres)
{
    char *(*const offers[])(const struct report_wheres *, int64_t *) = {of_facts, of_pipelining};
    AUTO_FREE char *best = NULL;
    int64_t most = 0;
    for (size_t i = 0; wheres->count && i < COUNT_OF(offers); i++) {
        int64_t saving = 0;
        AUTO_FREE char *text = offers[i](wheres, &saving);
        if (saving < SAVING_LEAST || saving <= most)
            continue;
        most = saving;
        free(best);
        best = TAKE(text);
    }
    return best ? xasprintf("%s; about %.1f s a run", best, (double)most / (double)NS_PER_S) : NULL;
}

static void add_part(struct table *table, int64_t ns, int64_t whole)
{
    AUTO_FREE char *text = duration_show(ns);
    table_addf(table, ns > whole / 10 ? TABLE_PLAIN : TABLE_DIM, "%s", text);
}

void report_where(const struct report_wheres *wheres, const struct table_look *look, struct text *out)
{
    static const struct table_column columns[] = {
        {.title = "phase", .shrinks = 12},      {.title = "whole", .right = true},
        {.title = "start-up", .right = true},   {.title = "facts", .right = true},
        {.title = "host", .right = true},       {.title = "tasks", .right = true, .drop = 2},
        {.title = "controller", .right = true}, {.title = "tasks", .right = true, .drop = 1},
        {.title = "between", .right = true},    {.title = "end", .right = true},
    };
    AUTO_TABLE *table = table_new(columns, COUNT_OF(columns));
    for (size_t i = 0; i < wheres->count; i++) {
        const struct history_where *row = &wheres->rows[i];
        AUTO_FREE char *whole = duration_show(row->whole_ns);
        table_add(table, row->phase ? row->phase : "all", TABLE_BOLD);
        table_add(table, whole, TABLE_PLAIN);
        for (int k = 0; k < WHERE_COUNT; k++) {
            add_part(table, row->ns[k], row->whole_ns);
            if (k == WHERE_HOST || k == WHERE_CONTROLLER)
                table_addf(table, TABLE_DIM, "%lld", (long long)row->tasks[k]);
        }
    }
    table_write(table, look, out);
    AUTO_FREE char *hint = report_where_hint(wheres);
    if (!hint)
        return;
    text_add(out, "\n");
    table_printable(out, look, TABLE_PLAIN, hint);
    text_add(out, "\n");
}

struct json *report_where_json(const struct report_wheres *wheres)
{
    struct json *object = json_new_object(), *rows = json_new_array();
    AUTO_FREE char *hint = report_where_hint(wheres);
    for (size_t i = 0; i < wheres->count; i++) {
        const struct history_where *row = &wheres->rows[i];
        struct json *entry = json_new_object();
        json_set_string(entry, "phase", row->phase);
        json_set_integer(entry, "n", row->n);
        report_json_set_ms(entry, "whole_ms", row->whole_ns);
        static const char *const members[] = {"start_ms",      "facts_ms",   "host_ms",
                                              "controller_ms", "between_ms", "end_ms"};
        for (int k = 0; k < WHERE_COUNT; k++)
            report_json_set_ms(entry, members[k], row->ns[k]);
        json_set_integer(entry, "host_tasks", row->tasks[WHERE_HOST]);
        json_set_integer(entry, "controller_tasks", row->tasks[WHERE_CONTROLLER]);
        json_append(rows, entry);
    }
    json_set_integer(object, "version", 1);
    json_set_string(object, "by", "where");
    json_set(object, "rows", rows);
    json_set_string(object, "hint", hint);
    return object;
}
