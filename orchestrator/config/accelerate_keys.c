#include "config/accelerate_keys.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/accelerate.h"
#include "config/invoker.h"

#define KEY      "accelerate"
#define VARIABLE "TRIPHASE_ACCELERATE"

/* What a phase does not say is its target's. */
static bool is_asked_at(struct settings *layers, const struct spot *spot)
{
    struct settings_view view = {
        .layers = layers, .scope = SCOPE_PHASE, .paths = {spot->path}, .count = 1}; /* borrowed */
    return spot->scope == SCOPE_PHASE ? settings_any(&view, KEY) != NULL
                                      : text_starts(spot->path, "targets.");
}

void accelerate_keys_environment(struct settings *layers, const struct spots *spots,
                                 const char *const *environment, struct words *faults)
{
    static const char place[] = "environment " VARIABLE;
    const struct provenance from = {place, false};
    const char *value = environment_value(environment, VARIABLE);
    enum accelerate kind;
    if (!value)
        return;
    if (accelerate_from(value, &kind) < 0) {
        AUTO_FREE char *shown = text_shown(value);
        AUTO_FREE char *instead = fault_instead(value, accelerate_names());
        if (faults)
            fault_add(faults, place, "there is no '%s'%s", shown, instead);
        return;
    }
    struct node *node = node_new_string(accelerate_name(kind));
    settings_own(layers, node);
    for (size_t i = 0; i < spots->count; i++)
        if (is_asked_at(layers, &spots->items[i]))
            settings_add(layers, SOURCE_ENVIRONMENT, spots->items[i].path,
                         schema_find(spots->items[i].scope, KEY), NULL, node, (struct node_place){0, 0},
                         &from, faults);
}
