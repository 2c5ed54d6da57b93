#include "view/inventory_view.h"
#include "base/memory.h"
#include "base/text.h"
#include "view/table.h"

#include <stdio.h>
#include <string.h>

/* A comment of one line, whatever the text holds. */
static void comment(struct text *out, const char *name, const char *value)
{
    text_addf(out, "# %s: ", name);
    text_add_printable(out, value, strlen(value));
    text_add_char(out, '\n');
}

static int put(const struct text *out)
{
    size_t written = fwrite(text_string(out), 1, out->length, stdout);
    return fflush(stdout) == 0 && written == out->length ? 0 : -1;
}

/* As a table whose lines are comments. */
static void add_looked(struct text *out, const struct json *looked)
{
    static const struct table_column columns[] = {{.title = "tried"},
                                                  {.title = "came back"},
                                                  {.title = "what follows"}};
    static const char *const members[] = {"what", "found", "follows"};
    static const struct table_look as_wide_as_it_is = {.utf8 = true};
    AUTO_TABLE *table = table_new(columns, COUNT_OF(columns));
    AUTO_TEXT lines = TEXT_INIT;
    for (size_t i = 0; i < json_count(looked); i++)
        for (size_t j = 0; j < COUNT_OF(members); j++)
            table_add(table, json_get_string(json_at(looked, i), members[j], ""), TABLE_PLAIN);
    table_write(table, &as_wide_as_it_is, &lines);
    for (const char *at = text_string(&lines); *at && json_count(looked);) {
        size_t length = strcspn(at, "\n");
        text_addf(out, "#   %.*s\n", (int)length, at);
        at += length + (at[length] == '\n');
    }
}

static bool is_usable(const struct json *transports, const char *name)
{
    for (size_t i = 0; i < json_count(transports); i++)
        if (text_is(json_get_string(json_at(transports, i), "name", ""), name))
            return json_get_bool(json_at(transports, i), "usable");
    return false;
}

static void add_transport(struct text *out, const struct inventory_view *view)
{
    const struct json *transports = json_get(view->evidence, "transports");
    AUTO_FREE char *rendered =
        view->transport && !is_usable(transports, view->transport)
            ? xasprintf("%s (rendered only: it cannot be used now, and plan refuses to go by it)",
                        view->transport)
            : NULL;
    comment(out, "transport",
            rendered          ? rendered
            : view->transport ? view->transport
                              : "none can be used, so nothing is rendered");
    for (size_t i = 0; i < json_count(transports); i++) {
        const struct json *entry = json_at(transports, i);
        AUTO_FREE char *text = xasprintf("%s (%s)", json_get_bool(entry, "usable") ? "usable" : "not usable",
                                         json_get_string(entry, "why", ""));
        comment(out, json_get_string(entry, "name", ""), text);
    }
}

int inventory_view_print(const struct inventory_view *view, bool explain)
{
    AUTO_TEXT out = TEXT_INIT;
    if (explain) {
        comment(&out, "target", view->target);
        add_transport(&out, view);
        if (view->tun) {
            AUTO_FREE char *text = xasprintf("%s (%s)", json_get_string(view->tun, "verdict", ""),
                                             json_get_string(view->tun, "text", ""));
            comment(&out, "tun", text);
        }
        add_looked(&out, view->looked);
        comment(&out, "machine", view->made ? "made" : "not made yet: what nobody knows yet is left out");
    }
    text_add(&out, view->yaml ? view->yaml : "");
    return put(&out);
}

int inventory_view_print_json(const struct inventory_view *view)
{
    AUTO_JSON *object = json_new_object();
    json_set_integer(object, "version", 1);
    json_set_string(object, "target", view->target);
    json_set_string(object, "transport", view->transport);
    json_set_bool(object, "made", view->made);
    json_set(object, "evidence", json_keep((struct json *)view->evidence));
    if (view->tun)
        json_set(object, "tun", json_keep((struct json *)view->tun));
    if (view->looked)
        json_set(object, "looked", json_keep((struct json *)view->looked));
    json_set_string(object, "inventory", view->yaml);
    AUTO_FREE char *text = json_pretty(object);
    AUTO_TEXT out = TEXT_INIT;
    text_addf(&out, "%s\n", text);
    return put(&out);
}
