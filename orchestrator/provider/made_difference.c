#include "provider/made_difference.h"

#include "base/memory.h"
#include "base/text.h"

bool made_stops(const struct made *made, bool create)
{
    for (size_t i = 0; i < made->count; i++)
        if (made->items[i].effect == MADE_REFUSES || (create && made->items[i].effect == MADE_AT_MAKING))
            return true;
    return false;
}

char *made_text(const struct made_difference *difference)
{
    static const char *const comes[] = {
        [MADE_REFUSES] = "",
        [MADE_TAKEN] = ": that is taken over once the same host, known by its host key, answers over it",
        [MADE_AT_MAKING] = ": that counts only for a machine that is made anew",
        [MADE_STAYS] = ": what was made counts",
    };
    return difference->file ? xasprintf("%s was made as %s, %s says %s%s", difference->key, difference->made,
                                        difference->origin, difference->file, comes[difference->effect])
                            : xasprintf("%s was made as %s, and nothing says it any more%s", difference->key,
                                        difference->made, comes[difference->effect]);
}

int made_refuse(const struct made *made, const struct target *target, const struct machine *machine,
                bool create, struct error *err)
{
    if (!made_stops(made, create))
        return 0;
    AUTO_TEXT lines = TEXT_INIT;
    bool keys_alone = true;
    for (size_t i = 0; i < made->count; i++) {
        const struct made_difference *item = &made->items[i];
        if (item->effect != MADE_REFUSES && item->effect != MADE_AT_MAKING)
            continue;
        AUTO_FREE char *line = made_text(item);
        text_addf(&lines, "\n  %s", line);
        keys_alone = keys_alone && text_is(item->key, "host_keys");
    }
    const char *name = target->name;
    AUTO_FREE char *keys_way =
        keys_alone ? xasprintf(", take the changed host key with 'triphase trust %s'", name) : NULL;
    AUTO_FREE char *static_way =
        machine_was_there(machine)
            ? xasprintf(", or have it forgotten ('triphase forget %s') and created", name)
            : NULL;
    return error_set(err, ERROR_PROJECT,
                     "what was made is not what is said of it now:%s\n  put back what was said%s, or make it "
                     "anew ('triphase destroy %s', 'triphase create %s')%s",
                     text_string(&lines), keys_way ? keys_way : "", name, name, static_way ? static_way : "");
}

struct json *made_json(const struct made *made)
{
    static const char *const effects[] = {[MADE_REFUSES] = "refused",
                                          [MADE_TAKEN] = "taken-over",
                                          [MADE_AT_MAKING] = "at-making",
                                          [MADE_STAYS] = "stays"};
    struct json *list = json_new_array();
    for (size_t i = 0; i < made->count; i++) {
        const struct made_difference *item = &made->items[i];
        struct json *entry = json_new_object();
        json_set_string(entry, "key", item->key);
        json_set_string(entry, "made", item->made);
        json_set_string(entry, "file", item->file);
        json_set_string(entry, "origin", item->origin);
        json_set_string(entry, "effect", effects[item->effect]);
        json_append(list, entry);
    }
    return list;
}

void made_clear(struct made *made)
{
    for (size_t i = 0; i < made->count; i++) {
        free(made->items[i].made);
        free(made->items[i].file);
        free(made->items[i].origin);
    }
    free(made->items);
    *made = (struct made)MADE_INIT;
}
