#include "config/recipe_file.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/fault.h"
#include "config/shared_keys.h"
#include "config/text_rules.h"
#include "format/yaml.h"

#include <string.h>

void outlines_add(struct outlines *outlines, const char *name, struct node_place at, bool teardown)
{
    outlines->items = xreallocarray(outlines->items, outlines->count + 1, sizeof *outlines->items);
    outlines->items[outlines->count++] = (struct outline){xstrdup(name), at, teardown};
}

void outlines_clear(struct outlines *outlines)
{
    for (size_t i = 0; i < outlines->count; i++)
        free(outlines->items[i].name);
    free(outlines->items);
    *outlines = (struct outlines){0};
}

static void read_phases(struct settings *layers, struct words *faults, const char *recipe,
                        const struct node *list, bool teardown, const struct provenance *from,
                        struct outlines *outlines)
{
    const char *what = teardown ? "teardown" : "phases";
    if (list->kind != NODE_LIST) {
        fault_at(faults, from, (struct node_place){list->line, list->column},
                 "'%s' takes a list of phases, not %s", what, node_kind_name(list->kind));
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct node *map = list->items[i];
        struct node_place at = {map->line, map->column};
        const struct node *name = node_get(map, "name");
        if (map->kind != NODE_MAP) {
            fault_at(faults, from, at, "a phase takes a map {name: ..., playbook: ...}, not %s",
                     node_kind_name(map->kind));
            continue;
        }
        if (!name) {
            fault_at(faults, from, at, "a phase has no 'name', which is required");
            continue;
        }
        bool good = name->kind == NODE_STRING && value_is_name(name->text);
        AUTO_FREE char *path =
            good ? xasprintf("phases.%s.%s", recipe, name->text) : xasprintf("phases.%s.?%zu", recipe, i);
        settings_add_map(layers, SOURCE_PROJECT, path, SCOPE_PHASE, false, map, NULL, from, faults);
        if (!good)
            continue;
        if (text_is(name->text, "defaults"))
            fault_at(faults, from, at, "a phase cannot be called 'defaults'");
        for (size_t j = 0; j < outlines->count; j++)
            if (text_is(outlines->items[j].name, name->text))
                fault_at(faults, from, (struct node_place){name->line, name->column},
                         "a second phase '%s' (first in line %d)", name->text, outlines->items[j].at.line);
        outlines_add(outlines, name->text, at, teardown);
    }
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
                      struct outlines *outlines, struct words *faults)
{
    static const char *const known[] = {"defaults", "phases", "teardown", NULL};
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
    if (yaml_read_file(path, file, &root, faults) < 0)
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
    const struct node *phases = node_get(root, "phases"), *teardown = node_get(root, "teardown");
    if (!phases || phases->kind == NODE_NULL || (phases->kind == NODE_LIST && !phases->count))
        fault_at(faults, &from, (struct node_place){1, 1},
                 "the recipe has no phase: 'phases' takes a list of at least one");
    else
        read_phases(layers, faults, name, phases, false, &from, outlines);
    if (teardown && teardown->kind != NODE_NULL)
        read_phases(layers, faults, name, teardown, true, &from, outlines);
}
