#include "run/confirm_owed.h"

#include "base/memory.h"
#include "stage/confirm_host.h"
#include "store/history.h"
#include "store/history_confirm.h"

struct json *confirm_owed_read(const char *store, const struct machine *machine)
{
    AUTO_SQL *db = NULL;
    struct json *list = NULL;
    if (history_open(store, &db, NULL) < 0 || history_confirm_open(db, machine, &list, NULL) < 0)
        return NULL;
    return list;
}

void confirm_owed_add(struct json **owed, const char *run, int step)
{
    AUTO_FREE char *id = confirm_host_id(run, step);
    struct json *entry = json_new_object();
    json_set_string(entry, "run", run);
    json_set_integer(entry, "step", step);
    json_set_string(entry, "id", id);
    if (!*owed)
        *owed = json_new_array();
    json_append(*owed, entry);
}

void confirm_owed_tell(struct sink *sink, const struct json *settled)
{
    for (size_t i = 0; i < json_count(settled); i++) {
        const struct json *entry = json_at(settled, i);
        struct json *detail = json_get(entry, "detail");
        sink_note(sink, json_get_string(entry, "run", ""), (int)json_get_integer(entry, "step", 0), "confirm",
                  detail);
    }
}
