#include "view/bundle_view.h"

#include "base/memory.h"
#include "base/text.h"
#include "view/help.h"
#include "view/table.h"

void bundle_view_note(const struct json *manifest)
{
    const struct json *missing = json_get(manifest, "missing"),
                      *redactions = json_get(manifest, "redactions"),
                      *unread = json_get(redactions, "not_by_value");
    for (size_t i = 0; i < json_count(missing); i++)
        help_note("missing: %s: %s", json_get_string(json_at(missing, i), "part", ""),
                  json_get_string(json_at(missing, i), "why", ""));
    for (size_t i = 0; i < json_count(unread); i++)
        help_note("warning: %s: %s", json_get_string(json_at(unread, i), "value", ""),
                  json_get_string(json_at(unread, i), "why", ""));
    help_note("%zu files, %lld redactions", json_count(json_get(manifest, "files")),
              (long long)json_get_integer(redactions, "total", 0));
}

int bundle_view_print(const char *path, int64_t size, struct json *manifest, bool json)
{
    AUTO_TEXT out = TEXT_INIT;
    if (!json) {
        text_addf(&out, "%s\n", path);
        return table_print(&out);
    }
    AUTO_JSON *root = json_new_object();
    json_set_integer(root, "version", 1);
    json_set_string(root, "path", path);
    json_set_integer(root, "size", size);
    json_set(root, "manifest", json_keep(manifest));
    AUTO_FREE char *pretty = json_pretty(root);
    text_addf(&out, "%s\n", pretty);
    return table_print(&out);
}
