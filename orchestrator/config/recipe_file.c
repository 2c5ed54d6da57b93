#include "config/recipe_file.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/fault.h"
#include "config/shared_keys.h"
#include "config/text_rules.h"

#include <string.h>

void outlines_add(struct outlines *outlines, const char *name, struct node_place at, enum outline_kind kind)
{
    outlines->items = xreallocarray(outlines->items, outlines->count + 1, sizeof *outlines->items);
    outlines->items[outlines->count++] = (struct outline){xstrdup(name), at, kind};
}

void outlines_clear(struct outlines *outlines)
{
    for (size_t i = 0; i < outlines->count; i++)
        free(outlines->items[i].name);
    free(outlines->items);
    *outlines = (struct outlines){0};
}

struct recipe_reading {
    struct settings *layers;
    const char *recipe;
    const struct provenance *from;
    struct outlines *outlines;
    struct words *faults;
};

static struct node_place place_of(const struct node *node)
{
    return (struct node_place){node->line, node->column};
}

/* `name` NULL: it has none that could be used; then it is only checked, as number `at`. */
static void add_phase(const struct recipe_reading *reading, const struct node *map, const char *name,
                      struct node_place where, enum outline_kind kind, size_t at)
{
    struct outlines *outlines = reading->outlines;
    AUTO_FREE char *path = name ? xasprintf("phases.%s.%s", reading->recipe, name)
                                : xasprintf("phases.%s.?%zu", reading->recipe, at);
    settings_add_map(reading->layers, SOURCE_PROJECT, path, SCOPE_PHASE, false, map, NULL, reading->from,
                     reading->faults);
    if (!name)
        return;
    if (text_is(name, "defaults"))
        fault_at(reading->faults, reading->from, place_of(map), "a phase cannot be called 'defaults'");
    for (size_t i = 0; i < outlines->count; i++)
        if (text_is(outlines->items[i].name, name))
            fault_at(reading->faults, reading->from, where, "a second phase '%s' (first in line %d)", name,
                     outlines->items[i].at.line);
    outlines_add(outlines, name, place_of(map), kind);
}

static const char *usable_name(const struct node *name)
{
    return name && name->kind == NODE_STRING && value_is_name(name->text) ? name->text : NULL;
}

static void read_phases(const struct recipe_reading *reading, const char *what, const struct node *list,
                        enum outline_kind kind)
{
    if (list->kind != NODE_LIST) {
        fault_at(reading->faults, reading->from, place_of(list), "'%s' takes a list of phases, not %s", what,
                 node_kind_name(list->kind));
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct node *map = list->items[i], *name = node_get(map, "name");
        if (map->kind != NODE_MAP)
            fault_at(reading->faults, reading->from, place_of(map),
                     "a phase takes a map {name: ..., playbook: ...}, not %s", node_kind_name(map->kind));
        else if (!name)
            fault_at(reading->faults, reading->from, place_of(map),
                     "a phase has no 'name', which is required");
        else
            add_phase(reading, map, usable_name(name), place_of(name), kind, i);
    }
}

/* One phase, which needs no name. It goes over `direct`, since the host is in no tailnet yet. */
static void read_bootstrap(const struct recipe_reading *reading, const struct node *root)
{
    const struct node *map = shared_keys_map(root, "bootstrap", reading->from, reading->faults);
    const struct node *name = node_get(map, "name"), *transport = node_get(map, "transport");
    if (!map)
        return;
    if (transport)
        fault_at(reading->faults, reading->from, place_of(transport),
                 "'bootstrap' goes over direct, since the host has not joined its tailnet yet: it takes no "
                 "'transport'");
    add_phase(reading, map, name ? usable_name(name) : "bootstrap", place_of(name ? name : map),
              OUTLINE_BOOTSTRAP, 0);
}

static void read_target(const struct recipe_reading *reading, const struct node *root)
{
    const struct node *map = shared_keys_map(root, "target", reading->from, reading->faults);
    AUTO_FREE char *path = settings_recipe_target(reading->recipe);
    if (map)
        settings_add_map(reading->layers, SOURCE_RECIPE, path, SCOPE_TARGET, true, map, NULL, reading->from,
                         reading->faults);
}

static void fault_no_recipe(const char *directory, const char *name, const char *origin, struct words *faults)
{
    AUTO_FREE char *folder = file_join(directory, "phases");
    AUTO_WORDS files = WORDS_INIT;
    AUTO_TEXT there = TEXT_INIT;
    file_list(folder, &files, NULL);
    for (size_t i = 0; i < files.count; i++)
        if (text_ends(files.items[i], ".yml"))
            text_addf(&there, "%s%.*s", there.length ? ", " : "", (int)strlen(files.items[i]) - 4,
                      files.items[i]);
    fault_add(faults, origin, "there is no recipe '%s' (phases/%s.yml); %s%s", name, name,
              there.length ? "there are: " : "phases/ holds none", text_string(&there));
}

void recipe_file_read(struct settings *layers, const char *directory, const char *name, const char *origin,
                      const struct config_draft *draft, struct outlines *outlines, struct words *faults)
{
    static const char *const known[] = {"target", "defaults", "bootstrap", "phases",
                                        "verify", "teardown", NULL};
    AUTO_FREE char *file = xasprintf("phases/%s.yml", name);
    AUTO_FREE char *path = file_join(directory, file);
    struct provenance from = {file, true};
    struct node *root = NULL;
    AUTO_ERROR err = ERROR_INIT;
    int there = file_look(path, &err);
    if (there <= 0) {
        if (there < 0)
            fault_add(faults, origin, "%s", error_text(&err));
        else
            fault_no_recipe(directory, name, origin, faults);
        return;
    }
    if (draft_read(draft, path, file, &root, faults) < 0)
        return;
    settings_own(layers, root);
    if (root->kind != NODE_MAP) {
        fault_at(faults, &from, (struct node_place){1, 1},
                 "the file takes a map with a list 'phases', not %s", node_kind_name(root->kind));
        return;
    }
    shared_keys_check(root, SCOPE_RECIPE, known, &from, faults);
    const struct node *defaults = shared_keys_map(root, "defaults", &from, faults);
    AUTO_FREE char *shared = xasprintf("phases.%s.defaults", name);
    if (defaults)
        settings_add_map(layers, SOURCE_PROJECT, shared, SCOPE_PHASE, true, defaults, NULL, &from, faults);
    struct recipe_reading reading = {layers, name, &from, outlines, faults};
    read_target(&reading, root);
    read_bootstrap(&reading, root);
    const struct node *phases = node_get(root, "phases"), *teardown = node_get(root, "teardown"),
                      *verify = node_get(root, "verify");
    if (!phases || phases->kind == NODE_NULL || (phases->kind == NODE_LIST && !phases->count))
        fault_at(faults, &from, (struct node_place){1, 1},
                 "the recipe has no phase: 'phases' takes a list of at least one");
    else
        read_phases(&reading, "phases", phases, OUTLINE_PHASE);
    if (verify && verify->kind != NODE_NULL)
        read_phases(&reading, "verify", verify, OUTLINE_VERIFY);
    if (teardown && teardown->kind != NODE_NULL)
        read_phases(&reading, "teardown", teardown, OUTLINE_TEARDOWN);
}
