#include "config/config.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/accelerate_keys.h"
#include "config/ansible_layer.h"
#include "config/cloud_keys.h"
#include "config/draft.h"
#include "config/environment.h"
#include "config/fault.h"
#include "config/invoker.h"
#include "config/provider_facts.h"
#include "config/recipe_file.h"
#include "config/resolve.h"
#include "config/settings.h"
#include "config/shared_keys.h"
#include "config/tailnet_keys.h"
#include "config/text_rules.h"
#include "config/transport_kind.h"
#include "config/user_file.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FAULT_LIMIT = 100 };

static const char project_file[] = "triphase.yml";

struct loader {
    const struct config_sources *sources;
    const char *directory;
    const char *const *environment;
    const struct config_draft *draft; /* NULL: none */
    struct invoker invoker;
    struct ansible_settings ansible;
    struct settings *layers;
    struct words faults, set_faults, warnings;
    struct spots spots;       /* of the project and its targets */
    struct spots phase_spots; /* of the recipes */
    struct outlines targets;
    struct words recipes;      /* names, each once */
    struct outlines *outlines; /* one per recipe */
};

static void loader_clear(struct loader *loader)
{
    settings_free(loader->layers);
    invoker_clear(&loader->invoker);
    ansible_settings_clear(&loader->ansible);
    words_clear(&loader->faults);
    words_clear(&loader->set_faults);
    words_clear(&loader->warnings);
    spots_clear(&loader->spots);
    spots_clear(&loader->phase_spots);
    outlines_clear(&loader->targets);
    for (size_t i = 0; i < loader->recipes.count; i++)
        outlines_clear(&loader->outlines[i]);
    free(loader->outlines);
    words_clear(&loader->recipes);
}

/* Above the folder that was named, in /tmp for one, anybody may have put a file, and
 * its commands would be run. */
static bool may_be_found(const struct stat *file, const char *nearest)
{
    AUTO_INVOKER invoker = {.home = NULL};
    struct stat folder;
    invoker_find(NULL, &invoker);
    return file->st_uid == 0 || file->st_uid == geteuid() || file->st_uid == invoker.uid ||
           (stat(nearest, &folder) == 0 && folder.st_uid == file->st_uid);
}

char *config_find_directory(const char *start, struct error *err)
{
    const char *from = start ? start : ".";
    AUTO_FREE char *shown = text_shown(from);
    AUTO_FREE char *at = realpath(from, NULL);
    if (!at) {
        error_system(err, errno, "cannot look for a project in %s%s", start ? "the folder " : "", shown);
        if (start && err)
            err->kind = ERROR_USAGE; /* it was named */
        return NULL;
    }
    AUTO_FREE char *nearest = xstrdup_or_null(at);
    while (at) {
        AUTO_FREE char *file = file_join(at, project_file);
        struct stat state;
        int status = stat(file, &state);
        if (status == 0 && S_ISREG(state.st_mode) && (text_is(at, nearest) || may_be_found(&state, nearest)))
            return TAKE(at);
        if (status == 0 && S_ISREG(state.st_mode)) {
            error_set(
                err, ERROR_PROJECT,
                "%s belongs to user %lu, and a project is what its files make it do: where it is the one "
                "that is meant, say so with -C %s",
                file, (unsigned long)state.st_uid, at);
            return NULL;
        }
        if (status < 0 && errno != ENOENT && errno != ENOTDIR) {
            error_system(err, errno, "cannot look whether there is %s", file);
            return NULL;
        }
        char *slash = strrchr(at, '/');
        if (!slash || text_is(at, "/"))
            break;
        slash[slash == at] = '\0';
    }
    error_set(err, ERROR_PROJECT,
              "there is no triphase.yml in %s or any folder above it; 'triphase init' lays down a project",
              shown);
    return NULL;
}

/* triphase.yml */

static int read_project_file(struct loader *loader)
{
    static const char *const others[] = {"defaults", "providers", "targets", NULL};
    AUTO_FREE char *path = file_join(loader->directory, project_file);
    struct provenance from = {project_file, true};
    struct node *root = NULL;
    if (draft_read(loader->draft, path, project_file, &root, &loader->faults) < 0)
        return -1;
    settings_own(loader->layers, root);
    if (root->kind != NODE_MAP) {
        fault_at(&loader->faults, &from, (struct node_place){1, 1},
                 "the file takes a map that begins with 'project: NAME', not %s", node_kind_name(root->kind));
        return -1;
    }
    settings_add_map(loader->layers, SOURCE_PROJECT, "", SCOPE_PROJECT, false, root, others, &from,
                     &loader->faults);
    shared_keys_add(loader->layers, SOURCE_PROJECT, root, &from, &loader->faults);
    const struct node *targets = shared_keys_map(root, "targets", &from, &loader->faults);
    for (size_t i = 0; targets && i < targets->count; i++) {
        const char *name = targets->keys[i];
        const struct node *map = targets->items[i];
        AUTO_FREE char *problem = value_name_problem(name);
        if (problem) {
            fault_at(&loader->faults, &from, targets->where[i], "target %s", problem);
            continue;
        }
        AUTO_FREE char *target_path = xasprintf("targets.%s", name);
        bool fits = map->kind == NODE_MAP || map->kind == NODE_NULL;
        if (fits)
            outlines_add(&loader->targets, name, targets->where[i], OUTLINE_TARGET);
        else
            fault_at(&loader->faults, &from, targets->where[i], "the target '%s' takes a map, not %s", name,
                     node_kind_name(map->kind));
        if (map->kind == NODE_MAP)
            settings_add_map(loader->layers, SOURCE_PROJECT, target_path, SCOPE_TARGET, false, map, NULL,
                             &from, &loader->faults);
    }
    return 0;
}

static void add_target_spots(struct loader *loader)
{
    spots_add_shared(&loader->spots);
    for (size_t i = 0; i < loader->targets.count; i++)
        spots_add(&loader->spots, SCOPE_TARGET, "targets.%s", loader->targets.items[i].name);
}

/* Every recipe that a target names, once. Which those are, the environment and --set have already said. */
static void read_recipes(struct loader *loader)
{
    for (size_t i = 0; i < loader->targets.count; i++) {
        AUTO_SETTINGS_VIEW view = {0};
        settings_of_target(loader->layers, loader->targets.items[i].name, &view);
        const struct setting *setting = settings_top(&view, "recipe");
        if (!setting || words_have(&loader->recipes, setting->node->text))
            continue;
        AUTO_FREE char *name = xstrdup(setting->node->text), *origin = xstrdup(setting->origin);
        words_add(&loader->recipes, name);
        loader->outlines = xreallocarray(loader->outlines, loader->recipes.count, sizeof *loader->outlines);
        struct outlines *outlines = &loader->outlines[loader->recipes.count - 1];
        *outlines = (struct outlines){0};
        recipe_file_read(loader->layers, loader->directory, name, origin, loader->draft, outlines,
                         &loader->faults);
        spots_add(&loader->phase_spots, SCOPE_PHASE, "phases.%s.defaults", name);
        for (size_t j = 0; j < outlines->count; j++)
            spots_add(&loader->phase_spots, SCOPE_PHASE, "phases.%s.%s", name, outlines->items[j].name);
    }
}

/* From values to structs */

static void check_peers(struct loader *loader, const struct settings_view *view, const char *own_name,
                        struct target *target)
{
    AUTO_WORDS peers = WORDS_INIT, names = WORDS_INIT;
    const struct setting *setting = settings_top(view, "peers");
    for (size_t i = 0; i < loader->targets.count; i++)
        words_add(&names, loader->targets.items[i].name);
    for (size_t i = 0; i < target->peers.count; i++) {
        const char *peer = target->peers.items[i];
        AUTO_FREE char *instead = fault_instead(peer, words_argv(&names));
        if (!words_have(&names, peer))
            fault_add(&loader->faults, setting->origin, "'peers': there is no target '%s'%s", peer, instead);
        else if (!text_is(peer, own_name) &&
                 !words_have(&peers, peer)) /* a list in `defaults` may name all */
            words_add(&peers, peer);
    }
    words_clear(&target->peers);
    target->peers = peers;
    peers = (struct words)WORDS_INIT;
}

static struct phase *next_phase(struct recipe *recipe, enum outline_kind kind)
{
    if (kind == OUTLINE_BOOTSTRAP)
        return recipe->bootstrap = xcalloc(1, sizeof *recipe->bootstrap);
    return kind == OUTLINE_TEARDOWN ? &recipe->teardown[recipe->teardown_count++]
                                    : &recipe->phases[recipe->phase_count++];
}

static void fill_recipe(struct loader *loader, const struct resolve *resolve, size_t index,
                        struct recipe *out)
{
    const char *name = loader->recipes.items[index];
    const struct outlines *outlines = &loader->outlines[index];
    out->name = xstrdup(name);
    AUTO_FREE char *file = xasprintf("phases/%s.yml", name);
    out->path = file_join(loader->directory, file);
    out->phases = xcalloc(outlines->count, sizeof *out->phases);
    out->teardown = xcalloc(outlines->count, sizeof *out->teardown);
    for (size_t i = 0; i < outlines->count; i++) {
        const struct outline *outline = &outlines->items[i];
        struct phase *phase = next_phase(out, outline->kind);
        AUTO_SETTINGS_VIEW view = {0};
        AUTO_FREE char *place = xasprintf("%s:%d:%d", file, outline->at.line, outline->at.column);
        settings_of_phase(loader->layers, name, outline->name, &view);
        resolve_phase(resolve, &view, outline->name, outline->at.line, place, phase);
        if (outline->kind == OUTLINE_BOOTSTRAP) {
            words_clear(&phase->transports);
            words_add(&phase->transports, transport_name(TRANSPORT_DIRECT));
            phase->transport_auto = false;
        }
        phase->only_looks = outline->kind == OUTLINE_VERIFY;
    }
}

/* Whether the files say how what this provider made for the target can be listed. */
static bool leads_to(const struct settings_view *view, const char *provider)
{
    const struct provider_facts *facts = provider_facts(provider);
    return (facts->cloud && (settings_top(view, "server_type") || settings_top(view, "token") ||
                             settings_top(view, "endpoint"))) ||
           (facts->by_programs && settings_top(view, "list"));
}

static void fill_elsewhere(struct loader *loader, const struct resolve *resolve, const struct target *target,
                           struct project *project)
{
    AUTO_WORDS nobody_asks = WORDS_INIT; /* what it lacks there is a fault on the day that it is switched */
    struct resolve there = *resolve;
    there.faults = &nobody_asks;
    for (const char *const *name = provider_names(); *name; name++) {
        AUTO_SETTINGS_VIEW view = {0};
        settings_of_target_at(loader->layers, target->name, *name, &view);
        if (text_is(*name, target->provider) || !leads_to(&view, *name))
            continue;
        there.provider = *name;
        project->elsewhere =
            xreallocarray(project->elsewhere, project->elsewhere_count + 1, sizeof *project->elsewhere);
        struct target *out = &project->elsewhere[project->elsewhere_count++];
        *out = (struct target){0};
        resolve_target(&there, &view, target->name, "", out);
    }
}

static struct project *fill(struct loader *loader)
{
    struct project *project = xcalloc(1, sizeof *project);
    struct resolve resolve = {.directory = loader->directory,
                              .invoker = &loader->invoker,
                              .environment = loader->environment,
                              .ansible = &loader->ansible,
                              .program = loader->sources->program,
                              .faults = &loader->faults};
    AUTO_SETTINGS_VIEW view = {0};
    settings_of_project(loader->layers, &view);
    project->directory = xstrdup(loader->directory);
    resolve_project(&resolve, &view, project);
    project->targets = xcalloc(loader->targets.count, sizeof *project->targets);
    for (size_t i = 0; i < loader->targets.count; i++) {
        const struct outline *outline = &loader->targets.items[i];
        AUTO_SETTINGS_VIEW target = {0};
        AUTO_FREE char *place = xasprintf("%s:%d:%d", project_file, outline->at.line, outline->at.column);
        settings_of_target(loader->layers, outline->name, &target);
        resolve_target(&resolve, &target, outline->name, place, &project->targets[project->target_count]);
        check_peers(loader, &target, outline->name, &project->targets[project->target_count]);
        tailnet_keys_carrier(loader->environment, &project->operator_settings,
                             &project->targets[project->target_count]);
        fill_elsewhere(loader, &resolve, &project->targets[project->target_count], project);
        project->target_count++;
    }
    project->recipes = xcalloc(loader->recipes.count, sizeof *project->recipes);
    for (size_t i = 0; i < loader->recipes.count; i++)
        fill_recipe(loader, &resolve, i, &project->recipes[project->recipe_count++]);
    return project;
}

static int report(struct loader *loader, struct error *err)
{
    AUTO_TEXT message = TEXT_INIT;
    const struct words *lists[] = {&loader->faults, &loader->set_faults};
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            if (count++ < FAULT_LIMIT)
                text_addf(&message, "%s%s", message.length ? "\n" : "", lists[i]->items[j]);
    if (!count)
        return 0;
    if (count > FAULT_LIMIT)
        text_addf(&message, "\nand %zu more", count - FAULT_LIMIT);
    return error_set(err, loader->faults.count ? ERROR_PROJECT : ERROR_USAGE, "%s", text_string(&message));
}

int config_load(const struct config_sources *sources, struct project **out, struct error *err)
{
    return config_load_draft(sources, NULL, out, err);
}

int config_load_draft(const struct config_sources *sources, const struct config_draft *draft,
                      struct project **out, struct error *err)
{
    static const char *const nothing[] = {NULL};
    AUTO_FREE char *directory = config_find_directory(sources->start, err);
    if (!directory)
        return -1;
    struct loader loader = {.sources = sources,
                            .directory = directory,
                            .environment = sources->environment ? sources->environment : nothing,
                            .draft = draft,
                            .layers = settings_new()};
    AUTO_PROJECT *project = NULL;
    invoker_find(loader.environment, &loader.invoker);
    if (ansible_settings_read(directory, loader.environment, &loader.ansible, err) < 0) {
        loader_clear(&loader);
        return -1;
    }
    ansible_layer_add(loader.layers, &loader.ansible, &loader.warnings);
    user_file_read(loader.layers, &loader.invoker, loader.environment, sources->user_file, draft,
                   &loader.warnings);
    if (read_project_file(&loader) == 0) {
        add_target_spots(&loader);
        /* Before triphase's own names, to which it loses. */
        cloud_keys_environment(loader.layers, loader.environment, &loader.faults);
        accelerate_keys_environment(loader.layers, &loader.spots, loader.environment, &loader.faults);
        environment_add(loader.layers, &loader.spots, false, loader.environment, &loader.faults);
        environment_add_sets(loader.layers, &loader.spots, false, sources->sets, &loader.set_faults);
        read_recipes(&loader);
        accelerate_keys_environment(loader.layers, &loader.phase_spots, loader.environment, NULL);
        environment_add(loader.layers, &loader.phase_spots, true, loader.environment, &loader.faults);
        environment_add_sets(loader.layers, &loader.phase_spots, true, sources->sets, &loader.set_faults);
        project = fill(&loader);
    }
    int result = report(&loader, err);
    if (result == 0 && project) {
        project->layers = TAKE(loader.layers);
        project->warnings = loader.warnings;
        loader.warnings = (struct words)WORDS_INIT;
        *out = TAKE(project);
    }
    loader_clear(&loader);
    return result;
}
