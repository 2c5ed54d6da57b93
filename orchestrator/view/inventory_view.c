#include "view/inventory_view.h"
#include "base/memory.h"
#include "base/text.h"

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

int inventory_view_print(const struct inventory_view *view, bool explain)
{
    AUTO_TEXT out = TEXT_INIT;
    if (explain) {
        const struct json *transports = json_get(view->evidence, "transports");
        comment(&out, "target", view->target);
        comment(&out, "transport", view->transport);
        for (size_t i = 0; i < json_count(transports); i++) {
            const struct json *entry = json_at(transports, i);
            AUTO_FREE char *text =
                xasprintf("%s (%s)", json_get_bool(entry, "usable") ? "usable" : "not usable",
                          json_get_string(entry, "why", ""));
            comment(&out, json_get_string(entry, "name", ""), text);
        }
        if (view->tun) {
            AUTO_FREE char *text = xasprintf("%s (%s)", json_get_string(view->tun, "verdict", ""),
                                             json_get_string(view->tun, "text", ""));
            comment(&out, "tun", text);
        }
        comment(&out, "machine", view->made ? "made" : "not made yet: what nobody knows yet is left out");
    }
    text_add(&out, view->yaml);
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
    json_set_string(object, "inventory", view->yaml);
    AUTO_FREE char *text = json_pretty(object);
    AUTO_TEXT out = TEXT_INIT;
    text_addf(&out, "%s\n", text);
    return put(&out);
}
