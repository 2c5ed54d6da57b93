#include "view/drift_view.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/json.h"
#include "view/table.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* How many tasks would change something. */
static size_t changes_of(const struct drift_target *targets, size_t count)
{
    size_t changes = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < targets[i].count; k++)
            changes += !targets[i].found[k].unchecked;
    return changes;
}

static char *date(int64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm parts;
    char text[32];
    if (!localtime_r(&seconds, &parts) || !strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts))
        return xstrdup("-");
    return xstrdup(text);
}

static void add_cell(struct table *table, const char *text, enum table_style style)
{
    table_add(table, text ? text : "-", style);
}

static void add_row(struct table *table, const struct drift_target *target, const struct history_drift *found,
                    const char *directory)
{
    AUTO_FREE char *since = found->unchecked ? NULL : date(found->since_ns);
    add_cell(table, target->target, TABLE_BOLD);
    add_cell(table, found->phase, TABLE_PLAIN);
    add_cell(table, found->host, TABLE_PLAIN);
    add_cell(table, found->role, TABLE_PLAIN);
    add_cell(table, found->task, TABLE_PLAIN);
    add_cell(table, found->path ? file_below(found->path, directory) : NULL, TABLE_DIM);
    add_cell(table, found->unchecked ? found->action : since, found->unchecked ? TABLE_WARN : TABLE_PLAIN);
}

static void add_rows(const struct drift_target *targets, size_t count, bool unchecked, const char *directory,
                     const struct table_look *look, struct text *out)
{
    const struct table_column columns[] = {{.title = "target"},
                                           {.title = "phase"},
                                           {.title = "host", .drop = 2},
                                           {.title = "role", .drop = 3},
                                           {.title = "task", .shrinks = 20},
                                           {.title = "path", .shrinks = 16, .end = true, .drop = 1},
                                           {.title = unchecked ? "module" : "since"}};
    AUTO_TABLE *table = table_new(columns, COUNT_OF(columns));
    size_t rows = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < targets[i].count; k++)
            if (targets[i].found[k].unchecked == unchecked) {
                add_row(table, &targets[i], &targets[i].found[k], directory);
                rows++;
            }
    if (!rows)
        return;
    text_add(out, unchecked ? "\nnot known, since the module cannot check:\n" : "would change:\n");
    table_write(table, look, out);
}

/* Of targets that were not looked at to the end there may be more than was found. */
static size_t add_not_whole(const struct drift_target *targets, size_t count, struct text *out)
{
    size_t many = 0;
    for (size_t i = 0; i < count; i++) {
        const struct history_run *run = targets[i].run;
        if (run && text_is(run->outcome, "ok"))
            continue;
        text_addf(out, "%s%s (%s)", many++ ? ", " : "not looked at to the end: ", targets[i].target,
                  !run           ? "not begun"
                  : run->outcome ? run->outcome
                                 : "crashed");
    }
    if (many)
        text_add_char(out, '\n');
    return many;
}

int drift_view_print(const struct drift_target *targets, size_t count, const char *directory)
{
    struct table_look look = table_look_of(STDOUT_FILENO);
    AUTO_TEXT out = TEXT_INIT, not_whole = TEXT_INIT;
    if (!add_not_whole(targets, count, &not_whole) && !changes_of(targets, count))
        text_add(&out, "nothing would change\n");
    add_rows(targets, count, false, directory, &look, &out);
    add_rows(targets, count, true, directory, &look, &out);
    for (size_t i = 0; i < count; i++)
        if (changes_of(&targets[i], 1))
            text_addf(&out, "\ndifferences of %s: the logs in .triphase/runs/%s\n", targets[i].target,
                      targets[i].run->id);
    text_addf(&out, "%s%s", out.length && not_whole.length ? "\n" : "", text_string(&not_whole));
    return table_print(&out);
}

static struct json *row_object(const struct drift_target *target, const struct history_drift *found)
{
    struct json *row = json_new_object();
    json_set_string(row, "target", target->target);
    json_set_string(row, "phase", found->phase);
    json_set_string(row, "host", found->host);
    json_set_string(row, "role", found->role);
    json_set_string(row, "task", found->task);
    json_set_string(row, "path", found->path);
    json_set_string(row, "module", found->action);
    if (!found->unchecked)
        json_set_moment(row, "since", found->since_ns);
    return row;
}

static struct json *target_object(const struct drift_target *target)
{
    struct json *object = json_new_object();
    json_set_string(object, "target", target->target);
    json_set_string(object, "run", target->run ? target->run->id : NULL);
    json_set_string(object, "outcome", target->run ? target->run->outcome : NULL);
    json_set_integer(object, "would_change", (int64_t)changes_of(target, 1));
    return object;
}

int drift_view_print_json(const struct drift_target *targets, size_t count)
{
    AUTO_JSON *root = json_new_object();
    struct json *list = json_new_array(), *rows = json_new_array(), *unchecked = json_new_array();
    for (size_t i = 0; i < count; i++) {
        json_append(list, target_object(&targets[i]));
        for (size_t k = 0; k < targets[i].count; k++)
            json_append(targets[i].found[k].unchecked ? unchecked : rows,
                        row_object(&targets[i], &targets[i].found[k]));
    }
    json_set_integer(root, "version", 1);
    json_set(root, "targets", list);
    json_set(root, "rows", rows);
    json_set(root, "unchecked", unchecked);
    AUTO_FREE char *text = json_pretty(root);
    return puts(text) < 0 || fflush(stdout) != 0 ? -1 : 0;
}
