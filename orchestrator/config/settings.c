#include "config/settings.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/check.h"
#include "format/yaml.h"

#include <string.h>

/* What a provider has built in for a key. */
struct provided {
    const struct provider_facts *facts;
    const struct key *key;
    const struct node *node;
};

struct settings {
    struct setting *settings;
    size_t count, room;
    bool sorted;
    struct node *documents;      /* a list */
    const struct node **presets; /* one per schema key, NULL: none */
    struct provided *provided;
    size_t provided_count;
};

static const struct node *built_in(struct settings *layers, const char *text)
{
    struct node *node = NULL;
    AUTO_WORDS faults = WORDS_INIT;
    bool good = text && yaml_read(text, strlen(text), "built-in", &node, &faults) == 0;
    return good ? settings_own(layers, node) : NULL;
}

static void add_provided(struct settings *layers, const struct provider_facts *facts)
{
    for (const struct provider_preset *preset = facts->presets; preset && preset->key; preset++) {
        layers->provided =
            xreallocarray(layers->provided, layers->provided_count + 1, sizeof *layers->provided);
        layers->provided[layers->provided_count++] =
            (struct provided){facts, schema_find(SCOPE_TARGET, preset->key), built_in(layers, preset->value)};
    }
}

struct settings *settings_new(void)
{
    struct settings *layers = xcalloc(1, sizeof *layers);
    layers->documents = node_new(NODE_LIST);
    const struct key *key;
    for (size_t i = 0; (key = schema_key(i)); i++) {
        layers->presets = xreallocarray(layers->presets, i + 1, sizeof *layers->presets);
        layers->presets[i] = built_in(layers, key->preset);
    }
    for (const char *const *name = provider_names(); *name; name++)
        add_provided(layers, provider_facts(*name));
    return layers;
}

void settings_free(struct settings *layers)
{
    if (!layers)
        return;
    for (size_t i = 0; i < layers->count; i++) {
        free(layers->settings[i].path);
        free(layers->settings[i].origin);
    }
    free(layers->settings);
    free(layers->presets);
    free(layers->provided);
    node_free(layers->documents);
    free(layers);
}

const struct node *settings_own(struct settings *layers, struct node *document)
{
    node_append(layers->documents, document);
    return document;
}

const struct node *settings_preset(const struct settings_view *view, const struct key *key)
{
    const struct settings *layers = view->layers;
    for (size_t i = 0; view->facts && i < layers->provided_count; i++)
        if (layers->provided[i].facts == view->facts && layers->provided[i].key == key)
            return layers->provided[i].node;
    size_t at = 0;
    while (schema_key(at) != key)
        at++;
    return layers->presets[at];
}

static void keep(struct settings *layers, enum source source, const char *path, const struct key *key,
                 const char *field, const struct node *node, struct node_place at,
                 const struct provenance *from, bool good)
{
    if (layers->count == layers->room) {
        layers->room = layers->room ? layers->room * 2 : 64;
        layers->settings = xreallocarray(layers->settings, layers->room, sizeof *layers->settings);
    }
    struct setting *setting = &layers->settings[layers->count];
    *setting =
        (struct setting){.key = key, .node = node, .source = source, .order = layers->count, .good = good};
    setting->path =
        xasprintf("%s%s%s%s%s", path, *path ? "." : "", key->name, field ? "." : "", field ? field : "");
    setting->origin = fault_place(from, at.line, at.column);
    layers->count++;
    layers->sorted = false;
}

/* The fields of a map like stage_deadline. */
static void add_fields(struct settings *layers, enum source source, const char *path, const struct key *key,
                       const struct node *map, const struct provenance *from, struct words *faults)
{
    AUTO_FREE char *prefix = xasprintf("%s.", key->name);
    AUTO_WORDS known = WORDS_INIT;
    schema_names(key->scope, prefix, &known);
    for (size_t i = 0; i < map->count; i++) {
        AUTO_FREE char *name = xasprintf("%s%s", prefix, map->keys[i]);
        AUTO_FREE char *shown = text_shown(map->keys[i]);
        const struct key *field = strchr(map->keys[i], '.') ? NULL : schema_find(key->scope, name);
        if (field) {
            settings_add(layers, source, path, field, NULL, map->items[i], map->where[i], from, faults);
        } else {
            AUTO_FREE char *place = fault_place(from, map->where[i].line, map->where[i].column);
            AUTO_FREE char *instead = fault_instead(map->keys[i], words_argv(&known));
            fault_add(faults, place, "unknown key '%s' in '%s'%s", shown, key->name, instead);
        }
    }
}

void settings_add(struct settings *layers, enum source source, const char *path, const struct key *key,
                  const char *field, const struct node *node, struct node_place at,
                  const struct provenance *from, struct words *faults)
{
    if (key->flags & KEY_LATER) {
        AUTO_FREE char *place = fault_place(from, at.line, at.column);
        fault_add(faults, place, "'%s' is not in this version of triphase", key->name);
        return;
    }
    bool good = check_value(key, field, node, from, faults);
    bool takes_apart = !field && (key->type == VALUE_FIELDS || schema_is_open(key));
    /* Of Ansible's settings and the user's own file a bad value is only warned of: the
     * next lower layer counts. */
    if (!good && (source == SOURCE_ANSIBLE || source == SOURCE_USER))
        return;
    if (!takes_apart) {
        bool empty = node->kind == NODE_NULL && key->type != VALUE_VARIABLES;
        if (!empty || !good)
            keep(layers, source, path, key, field, node, at, from, good);
    } else if (good && key->type == VALUE_FIELDS) {
        add_fields(layers, source, path, key, node, from, faults);
    } else if (good) {
        for (size_t i = 0; i < node->count; i++)
            settings_add(layers, source, path, key, node->keys[i], node->items[i], node->where[i], from,
                         faults);
    }
}

void settings_add_map(struct settings *layers, enum source source, const char *path, enum key_scope scope,
                      bool shared, const struct node *map, const char *const *others,
                      const struct provenance *from, struct words *faults)
{
    AUTO_WORDS known = WORDS_INIT;
    schema_names(scope, "", &known);
    for (size_t i = 0; others && others[i]; i++)
        words_add(&known, others[i]);
    for (size_t i = 0; i < map->count; i++) {
        const char *name = map->keys[i];
        if (text_is_one_of(name, others))
            continue;
        AUTO_FREE char *shown = text_shown(name);
        const struct key *key = strchr(name, '.') ? NULL : schema_find(scope, name);
        bool misplaced = key && ((shared && key->flags & KEY_OWN) ||
                                 (text_starts(path, "providers.") && key->flags & KEY_NO_PROVIDER) ||
                                 (text_starts(path, "recipes.") && key->flags & KEY_NO_RECIPE));
        if (key && !misplaced) {
            settings_add(layers, source, path, key, NULL, map->items[i], map->where[i], from, faults);
            continue;
        }
        AUTO_FREE char *place = fault_place(from, map->where[i].line, map->where[i].column);
        AUTO_FREE char *instead = fault_instead(name, words_argv(&known));
        if (misplaced)
            fault_add(faults, place, "'%s' does not belong into '%s'%s", shown, path,
                      text_starts(path, "recipes.") ? ", which is for every target of the recipe" : "");
        else
            fault_add(faults, place, "unknown key '%s'%s", shown, instead);
    }
}

static int compare(const void *a, const void *b)
{
    const struct setting *left = a, *right = b;
    int order = strcmp(left->path, right->path);
    if (order)
        return order;
    if (left->source != right->source)
        return left->source < right->source ? -1 : 1;
    return left->order < right->order ? -1 : left->order > right->order;
}

static void sort(struct settings *layers)
{
    if (!layers->sorted && layers->count > 1)
        qsort(layers->settings, layers->count, sizeof *layers->settings, compare);
    layers->sorted = true;
}

/* Index of the first setting whose path is not before `path`. */
static size_t lower_bound(struct settings *layers, const char *path)
{
    sort(layers);
    size_t low = 0, high = layers->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(layers->settings[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void settings_view_clear(struct settings_view *view)
{
    for (size_t i = 0; i < view->count; i++)
        free(view->paths[i]);
    *view = (struct settings_view){0};
}

enum { GOOD = 1, BAD = 2 };

/* From the highest down: by source, then by place, then the later one. */
static size_t chain(const struct settings_view *view, const char *field, int wanted,
                    const struct setting **out, size_t room)
{
    size_t found = 0;
    for (int source = SOURCE_COUNT - 1; source >= 0; source--) {
        for (size_t place = view->count; place-- > 0;) {
            const char *path = view->paths[place];
            AUTO_FREE char *full = xasprintf("%s%s%s", path, *path ? "." : "", field);
            size_t first = lower_bound(view->layers, full), end = first;
            const struct setting *settings = view->layers->settings;
            while (end < view->layers->count && strcmp(settings[end].path, full) == 0)
                end++;
            for (size_t i = end; i-- > first;) {
                if ((int)settings[i].source != source || !((settings[i].good ? GOOD : BAD) & wanted))
                    continue;
                if (found < room)
                    out[found] = &settings[i];
                found++;
            }
        }
    }
    return found;
}

const struct setting *settings_top(const struct settings_view *view, const char *field)
{
    const struct setting *top = NULL;
    chain(view, field, GOOD, &top, 1);
    return top;
}

const struct setting *settings_any(const struct settings_view *view, const char *field)
{
    const struct setting *top = NULL;
    chain(view, field, GOOD | BAD, &top, 1);
    return top;
}

size_t settings_chain(const struct settings_view *view, const char *field, const struct setting **out,
                      size_t room)
{
    return chain(view, field, GOOD, out, room);
}

const struct node *settings_node(const struct settings_view *view, const char *field)
{
    const struct setting *top = settings_top(view, field);
    if (top)
        return top->node;
    const struct key *key = schema_find(view->scope, field);
    return key ? settings_preset(view, key) : NULL;
}

void settings_view_entries(const struct settings_view *view, const char *key, struct words *out)
{
    for (size_t place = 0; place < view->count; place++) {
        AUTO_FREE char *prefix = xasprintf("%s.%s.", view->paths[place], key);
        for (size_t i = lower_bound(view->layers, prefix); i < view->layers->count; i++) {
            const struct setting *setting = &view->layers->settings[i];
            if (!text_starts(setting->path, prefix))
                break;
            if (setting->good)
                words_add(out, setting->path + strlen(prefix));
        }
    }
    words_sort_unique(out);
}

void settings_entries(struct settings *layers, const char *key, struct words *out)
{
    AUTO_FREE char *inside = xasprintf(".%s.", key);
    for (size_t i = 0; i < layers->count; i++) {
        const struct setting *setting = &layers->settings[i];
        const char *at = text_is(setting->key->name, key) && schema_is_open(setting->key)
                             ? strstr(setting->path, inside)
                             : NULL;
        if (at)
            words_add(out, at + strlen(inside));
    }
    words_sort_unique(out);
}

char *settings_recipe_target(const char *recipe)
{
    return xasprintf("recipes.%s.target", recipe);
}

static void put_before(struct settings_view *view, size_t at, char *path)
{
    for (size_t i = view->count++; i > at; i--)
        view->paths[i] = view->paths[i - 1];
    view->paths[at] = path;
}

void settings_of_target(struct settings *layers, const char *name, struct settings_view *out)
{
    settings_of_target_at(layers, name, NULL, out);
}

void settings_of_target_at(struct settings *layers, const char *name, const char *provider,
                           struct settings_view *out)
{
    *out = (struct settings_view){.layers = layers, .scope = SCOPE_TARGET};
    out->paths[out->count++] = xstrdup("defaults");
    out->paths[out->count++] = xasprintf("targets.%s", name);
    /* The provider itself is looked up without a place of its own, and the recipe without its target's. */
    const struct node *named = settings_node(out, "provider"); /* built in: sandbox */
    const char *own = provider ? provider : named ? named->text : "";
    put_before(out, 1, xasprintf("providers.%s", own));
    out->facts = provider_facts(own);
    const struct node *recipe = settings_node(out, "recipe");
    if (recipe)
        put_before(out, 0, settings_recipe_target(recipe->text));
}

void settings_of_phase(struct settings *layers, const char *recipe, const char *phase,
                       struct settings_view *out)
{
    *out = (struct settings_view){.layers = layers, .scope = SCOPE_PHASE};
    out->paths[out->count++] = xasprintf("phases.%s.defaults", recipe);
    out->paths[out->count++] = xasprintf("phases.%s.%s", recipe, phase);
}

void settings_of_project(struct settings *layers, struct settings_view *out)
{
    *out = (struct settings_view){.layers = layers, .scope = SCOPE_PROJECT};
    out->paths[out->count++] = xstrdup("");
}
