#include "view/config_view.h"

#include "base/memory.h"
#include "base/text.h"
#include "format/json_words.h"
#include "format/node_json.h"
#include "format/yaml.h"
#include "view/table.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int write_out(const char *text)
{
    return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? -1 : 0;
}

static enum table_style style_of(const char *origin)
{
    if (text_starts(origin, "built-in"))
        return TABLE_DIM;
    return text_starts(origin, "environment") || text_starts(origin, "--set") ? TABLE_WARN : TABLE_PLAIN;
}

static void add_rows(void *context, const char *path, const char *value, const char *origin,
                     const char *const *hidden)
{
    struct table *table = context;
    enum table_style style = style_of(origin);
    table_add(table, path, style == TABLE_DIM ? TABLE_DIM : TABLE_BOLD);
    /* Where nothing is given, what stands in for it is the more telling half of
     * "built-in (from the provider)". */
    const char *note = text_is(value, "null") ? strchr(origin, '(') : NULL;
    table_add(table, note ? note : text_is(value, "null") ? "-" : value, style);
    table_add(table, note ? "built-in" : origin, style);
    for (; *hidden; hidden++) {
        const char *end = strstr(*hidden, ": ");
        AUTO_FREE char *from = xstrndup(*hidden, end ? (size_t)(end - *hidden) : 0);
        table_add(table, "", TABLE_PLAIN);
        table_addf(table, TABLE_DIM, "hides %s", end ? end + 2 : *hidden);
        table_add(table, from, TABLE_DIM);
    }
}

void config_view_add(const struct project *project, const struct target *target,
                     const struct table_look *look, struct text *out)
{
    static const struct table_column columns[] = {{.title = "setting"},
                                                  {.title = "value", .shrinks = true},
                                                  {.title = "from"}};
    AUTO_TABLE *table = table_new(columns, COUNT_OF(columns));
    config_explain(project, target, add_rows, table);
    table_write(table, look, out);
}

int config_view_print(const struct project *project, const struct target *target,
                      const struct config_made *differs, size_t count)
{
    AUTO_TEXT out = TEXT_INIT;
    struct table_look look = table_look_of(STDOUT_FILENO);
    /* Into a file or another program whole values go. */
    if (!isatty(STDOUT_FILENO))
        look.width = 0;
    config_view_add(project, target, &look, &out);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < differs[i].made.count; k++) {
            AUTO_FREE char *text = made_text(&differs[i].made.items[k]);
            text_addf(&out, "%s: %s\n", differs[i].target, text);
        }
    return write_out(text_string(&out));
}

static void add_json(void *context, const char *path, const char *value, const char *origin,
                     const char *const *hidden)
{
    struct json *row = json_new_object(), *hides = json_new_array();
    struct node *read = NULL;
    AUTO_WORDS faults = WORDS_INIT;
    bool good = yaml_read(value, strlen(value), path, &read, &faults) == 0;
    AUTO_NODE *node = good ? read : NULL;
    json_set_string(row, "path", path);
    json_set(row, "value", node ? node_json(node) : json_new_string(value));
    json_set_string(row, "origin", origin);
    for (; *hidden; hidden++)
        json_append(hides, json_new_string(*hidden));
    json_set(row, "hides", hides);
    json_append(context, row);
}

int config_view_print_json(const struct project *project, const struct target *target,
                           const struct config_made *differs, size_t count)
{
    AUTO_JSON *root = json_new_object();
    struct json *settings = json_new_array();
    config_explain(project, target, add_json, settings);
    json_set_integer(root, "version", 1);
    json_set_string(root, "directory", project->directory);
    json_set(root, "settings", settings);
    struct json *made = json_new_object();
    for (size_t i = 0; i < count; i++)
        json_set(made, differs[i].target, made_json(&differs[i].made));
    json_set(root, "differs", made);
    AUTO_FREE char *text = json_pretty(root);
    return write_out(text) < 0 || write_out("\n") < 0 ? -1 : 0;
}

int config_view_print_change(const struct config_change *change, const struct config_changed *changed)
{
    static const char nothing[] = "(not set)";
    AUTO_TEXT out = TEXT_INIT, line = TEXT_INIT;
    if (!changed->changes)
        text_addf(&line, "%s: %s %s already; nothing was written", changed->file, change->path,
                  changed->after ? "is so" : "is not set");
    else
        text_addf(&line, "%s: %s: %s -> %s", changed->file, change->path,
                  changed->before ? changed->before : nothing, changed->after ? changed->after : nothing);
    text_add_printable(&out, text_string(&line), line.length);
    text_add_char(&out, '\n');
    for (size_t i = 0; change->dry && i < changed->lines.count; i++) {
        text_add_printable(&out, changed->lines.items[i], strlen(changed->lines.items[i]));
        text_add_char(&out, '\n');
    }
    return write_out(text_string(&out));
}

int config_view_print_change_json(const struct config_change *change, const struct config_changed *changed)
{
    AUTO_JSON *root = json_new_object();
    json_set_integer(root, "version", 1);
    json_set_string(root, "file", changed->file);
    json_set_string(root, "path", change->path);
    json_set_string(root, "before", changed->before);
    json_set_string(root, "after", changed->after);
    json_set_bool(root, "written", changed->changes && !change->dry);
    json_set(root, "counts", json_words_array(&changed->counts));
    AUTO_FREE char *text = json_pretty(root);
    return write_out(text) < 0 || write_out("\n") < 0 ? -1 : 0;
}
