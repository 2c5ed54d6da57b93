#include "config/change_path.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/fault.h"
#include "config/text_rules.h"
#include "config/user_file.h"

#include <string.h>

/* File */

int change_file_of(const char *directory, const char *user_path, const char *path, struct change_file *out,
                   struct error *err)
{
    if (!directory) {
        *out = (struct change_file){.path = xstrdup(user_path), .name = xstrdup(user_path), .user = true};
        return 0;
    }
    const char *name = text_starts(path, "phases.") ? path + strlen("phases.") : NULL;
    AUTO_FREE char *recipe = name ? xstrndup(name, strcspn(name, ".")) : NULL;
    AUTO_FREE char *file = recipe ? xasprintf("phases/%s.yml", recipe) : xstrdup("triphase.yml");
    AUTO_FREE char *whole = file_join(directory, file);
    AUTO_FREE char *shown = text_shown(path);
    if (recipe && (!value_is_name(recipe) || !file_exists(whole)))
        return error_set(
            err, ERROR_PROJECT,
            "%s: there is no recipe of that name in phases/; write it as phases.RECIPE.PHASE.KEY", shown);
    *out = (struct change_file){.path = TAKE(whole), .name = TAKE(file), .recipe = TAKE(recipe)};
    return 0;
}

void change_file_clear(struct change_file *file)
{
    free(file->path);
    free(file->name);
    free(file->recipe);
    *file = (struct change_file){0};
}

/* Spots */

static void add_phase_spots(const char *recipe, const struct node *tree, struct spots *spots)
{
    static const char *const lists[] = {"phases", "verify", "teardown"};
    const struct node *bootstrap = node_get(tree, "bootstrap"), *name = node_get(bootstrap, "name");
    spots_add(spots, SCOPE_PHASE, "phases.%s.defaults", recipe);
    if (bootstrap && bootstrap->kind == NODE_MAP)
        spots_add(spots, SCOPE_PHASE, "phases.%s.%s", recipe, name && name->text ? name->text : "bootstrap");
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        const struct node *list = node_get(tree, lists[i]);
        for (size_t j = 0; list && list->kind == NODE_LIST && j < list->count; j++)
            if ((name = node_get(list->items[j], "name")) && name->kind == NODE_STRING)
                spots_add(spots, SCOPE_PHASE, "phases.%s.%s", recipe, name->text);
    }
}

static void add_spots(const struct change_file *file, const struct node *tree, struct spots *spots)
{
    if (file->recipe) {
        add_phase_spots(file->recipe, tree, spots);
        return;
    }
    spots_add_shared(spots);
    const struct node *targets = file->user ? NULL : node_get(tree, "targets");
    for (size_t i = 0; targets && targets->kind == NODE_MAP && i < targets->count; i++)
        if (value_is_name(targets->keys[i]))
            spots_add(spots, SCOPE_TARGET, "targets.%s", targets->keys[i]);
}

/* Steps */

static void add_step(struct change_place *place, const char *key, size_t length, bool named)
{
    if (place->depth < YAML_EDIT_DEEPEST)
        place->steps[place->depth++] = (struct yaml_step){xstrndup(key, length), named};
}

static void add_steps(struct change_place *place, const char *path)
{
    while (*path) {
        size_t length = strcspn(path, ".");
        add_step(place, path, length, false);
        path += length + (path[length] == '.');
    }
}

/* The phase of that name: `bootstrap`, or an item of one of the lists. */
static void add_phase_steps(struct change_place *place, const struct node *tree, const char *phase)
{
    const struct node *bootstrap = node_get(tree, "bootstrap"), *own = node_get(bootstrap, "name");
    static const char *const lists[] = {"phases", "verify"};
    const char *list = "teardown";
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        AUTO_FREE char *key = xstrdup(lists[i]), *name = xstrdup(phase);
        const struct yaml_step steps[] = {{.key = key}, {.key = name, .named = true}};
        if (yaml_steps_find(tree, steps, COUNT_OF(steps)))
            list = lists[i];
    }
    if (bootstrap && text_is(own && own->text ? own->text : "bootstrap", phase))
        add_steps(place, "bootstrap");
    else {
        add_steps(place, list);
        add_step(place, phase, strlen(phase), true);
    }
}

static bool belongs_to_user(const struct change_place *place)
{
    AUTO_FREE char *top = xstrndup(place->at.key->name, strcspn(place->at.key->name, "."));
    return *place->at.spot->path || text_is_one_of(top, user_file_keys());
}

int change_place_find(const struct change_file *file, const struct node *tree, const char *path,
                      const char *shown, struct change_place *out, struct words *faults)
{
    struct change_place place = {.depth = 0};
    bool of_projects = text_starts(path, "targets.") || text_starts(path, "phases.");
    add_spots(file, tree, &place.spots);
    bool found =
        !(file->user && of_projects) && environment_find(&place.spots, path, shown, &place.at, faults) == 0;
    if (file->user && (of_projects || (found && !belongs_to_user(&place)))) {
        fault_add(faults, shown,
                  "the user's own file takes 'ansible', 'keep', 'operator', 'defaults' and 'providers'; what "
                  "is the project's own is set without --user");
        found = false;
    }
    AUTO_FREE char *of_targets = xasprintf("phases.%s.target.", file->recipe ? file->recipe : "");
    if (!found && file->recipe && text_starts(path, of_targets)) {
        words_clear(faults);
        fault_add(
            faults, shown,
            "what a recipe wants of its targets stands in %s under 'target', which no path leads to: change "
            "it there, or for one target as targets.NAME.KEY",
            file->name);
    }
    if (!found) {
        change_place_clear(&place);
        return -1;
    }
    const char *spot = place.at.spot->path;
    if (!file->recipe)
        add_steps(&place, spot);
    else if (text_is(strrchr(spot, '.') + 1, "defaults"))
        add_steps(&place, "defaults");
    else
        add_phase_steps(&place, tree, strrchr(spot, '.') + 1);
    place.stays = text_starts(spot, "targets.") ? place.depth : 0;
    add_steps(&place, place.at.key->name);
    if (place.at.field)
        add_step(&place, place.at.field, strlen(place.at.field), false);
    *out = place;
    return 0;
}

void change_place_clear(struct change_place *place)
{
    for (size_t i = 0; i < place->depth; i++)
        free(place->steps[i].key);
    free(place->at.field);
    spots_clear(&place->spots);
    *place = (struct change_place){0};
}
