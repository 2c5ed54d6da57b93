#include "config/shared_keys.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/provider_facts.h"

const struct node *shared_keys_map(const struct node *root, const char *name, const struct provenance *from,
                                   struct words *faults)
{
    const struct node *node = node_get(root, name);
    if (!node || node->kind == NODE_NULL)
        return NULL;
    if (node->kind == NODE_MAP)
        return node;
    fault_at(faults, from, (struct node_place){node->line, node->column}, "'%s' takes a map, not %s", name,
             node_kind_name(node->kind));
    return NULL;
}

void shared_keys_check(const struct node *root, enum key_scope scope, const char *const *known,
                       const struct provenance *from, struct words *faults)
{
    for (size_t i = 0; i < root->count; i++) {
        AUTO_FREE char *shown = text_shown(root->keys[i]), *instead = fault_instead(root->keys[i], known);
        const struct key *key = schema_find(scope, root->keys[i]);
        if (text_is_one_of(root->keys[i], known))
            continue;
        if (key && key->flags & KEY_LATER)
            fault_at(faults, from, root->where[i], "'%s' is not in this version of triphase", key->name);
        else
            fault_at(faults, from, root->where[i], "unknown key '%s'%s", shown, instead);
    }
}

void shared_keys_add(struct settings *layers, enum source source, const struct node *root,
                     const struct provenance *from, struct words *faults)
{
    const struct node *defaults = shared_keys_map(root, "defaults", from, faults);
    const struct node *providers = shared_keys_map(root, "providers", from, faults);
    if (defaults)
        settings_add_map(layers, source, "defaults", SCOPE_TARGET, true, defaults, NULL, from, faults);
    for (size_t i = 0; providers && i < providers->count; i++) {
        const char *name = providers->keys[i];
        const struct node *map = providers->items[i];
        AUTO_FREE char *shown = text_shown(name), *instead = fault_instead(name, provider_names());
        if (!text_is_one_of(name, provider_names())) {
            fault_at(faults, from, providers->where[i], "unknown provider '%s'%s", shown, instead);
        } else if (map->kind == NODE_MAP) {
            AUTO_FREE char *path = xasprintf("providers.%s", name);
            settings_add_map(layers, source, path, SCOPE_TARGET, true, map, NULL, from, faults);
        } else if (map->kind != NODE_NULL) {
            fault_at(faults, from, providers->where[i], "the provider '%s' takes a map, not %s", shown,
                     node_kind_name(map->kind));
        }
    }
}
