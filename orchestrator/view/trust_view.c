#include "view/trust_view.h"

#include "base/memory.h"
#include "base/text.h"
#include "format/json_words.h"

#include <stdio.h>

int trust_view_print(const struct trust_view *view)
{
    AUTO_TEXT out = TEXT_INIT;
    text_addf(&out, "%s at %s port %d\n", view->target, view->address ? view->address : "?", view->port);
    for (size_t i = 0; i < view->known.count; i++)
        text_addf(&out, "  known  %s\n", view->known.items[i]);
    if (!view->known.count)
        text_add(&out, "  known  none\n");
    text_addf(&out, "  shown  %s%s\n", view->offered, view->unchanged ? " (known)" : "");
    return fputs(text_string(&out), stdout) < 0 || fflush(stdout) != 0 ? -1 : 0;
}

int trust_view_print_json(const struct trust_view *view)
{
    AUTO_JSON *root = json_new_object();
    struct json *known = json_words_array(&view->known);
    json_set_integer(root, "version", 1);
    json_set_string(root, "target", view->target);
    json_set_string(root, "address", view->address);
    json_set_integer(root, "port", view->port);
    json_set(root, "known", known);
    json_set_string(root, "offered", view->offered);
    json_set_bool(root, "changed", !view->unchanged);
    json_set_bool(root, "taken", view->taken);
    AUTO_FREE char *text = json_pretty(root);
    return puts(text) < 0 || fflush(stdout) != 0 ? -1 : 0;
}
