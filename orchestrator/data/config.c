#include "data/config.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/environment.h"
#include "data/fault.h"
#include "data/invoker.h"
#include "data/layers.h"
#include "data/resolve.h"
#include "data/value.h"
#include "mechanism/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_LIMIT = 1 << 20, FAULT_LIMIT = 100 };

static const char project_file[] = "triphase.yml";
static const char *const provider_names[] = {"sandbox", "static", NULL};
static const char *const later_providers[] = {"hetzner", "command", NULL};

/* A phase or target by name and where it stands. */
struct outline {
    char *name;
    struct node_place at;
    bool teardown;
};

struct outlines {
    struct outline *items;
    size_t count;
};

struct loader {
    const struct config_sources *sources;
    const char *directory;
    const char *const *environment;
    struct invoker invoker;
    struct layers *layers;
    struct words faults, set_faults, warnings;
    struct spots spots;        /* of the project and its targets */
    struct spots phase_spots;  /* of the recipes */
    struct outlines targets;
    struct words recipes;      /* names, each once */
    struct outlines *outlines; /* one per recipe */
};

static void outline_add(struct outlines *outlines, const char *name, struct node_place at, bool teardown)
{
    outlines->items = xreallocarray(outlines->items, outlines->count + 1, sizeof *outlines->items);
    outlines->items[outlines->count++] = (struct outline){xstrdup(name), at, teardown};
}

static void outlines_clear(struct outlines *outlines)
{
    for (size_t i = 0; i < outlines->count; i++)
        free(outlines->items[i].name);
    free(outlines->items);
}

static void loader_clear(struct loader *loader)
{
    layers_free(loader->layers);
    invoker_clear(&loader->invoker);
    words_free(&loader->faults);
    words_free(&loader->set_faults);
    words_free(&loader->warnings);
    spots_clear(&loader->spots);
    spots_clear(&loader->phase_spots);
    outlines_clear(&loader->targets);
    for (size_t i = 0; i < loader->recipes.count; i++)
        outlines_clear(&loader->outlines[i]);
    free(loader->outlines);
    words_free(&loader->recipes);
}

char *config_find_directory(const char *start)
{
    AUTO_FREE char *at = realpath(start ? start : ".", NULL);
    while (at) {
        AUTO_FREE char *file = file_join(at, project_file);
        struct stat state;
        if (stat(file, &state) == 0 && S_ISREG(state.st_mode))
            return TAKE(at);
        char *slash = strrchr(at, '/');
        if (!slash || text_is(at, "/"))
            break;
        slash[slash == at] = '\0';
    }
    return NULL;
}

static void fault_at(struct words *faults, const struct provenance *from, struct node_place at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void fault_at(struct words *faults, const struct provenance *from, struct node_place at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *message = xvasprintf(format, args);
    va_end(args);
    AUTO_FREE char *place = fault_place(from, at.line, at.column);
    fault_add(faults, place, "%s", message);
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (text_is(name, *names))
            return true;
    return false;
}

/* A member that must be a map: NULL when absent, empty, or something else, which is a fault. */
static const struct node *member_map(const struct node *root, const char *name, const struct provenance *from, struct words *faults)
{
    const struct node *node = node_get(root, name);
    if (!node || node->kind == NODE_NULL)
        return NULL;
    if (node->kind == NODE_MAP)
        return node;
    fault_at(faults, from, (struct node_place){node->line, node->column}, "'%s' takes a map, not %s", name, node_kind_name(node->kind));
    return NULL;
}

/* `defaults` and `providers` of a file. */
static void add_shared(struct loader *loader, enum source source, const struct node *root, const struct provenance *from, struct words *faults)
{
    const struct node *defaults = member_map(root, "defaults", from, faults);
    const struct node *providers = member_map(root, "providers", from, faults);
    if (defaults)
        layers_add_map(loader->layers, source, "defaults", SCOPE_TARGET, true, defaults, NULL, from, faults);
    for (size_t i = 0; providers && i < providers->count; i++) {
        const char *name = providers->keys[i];
        const struct node *map = providers->items[i];
        AUTO_FREE char *shown = fault_shown(name), *instead = fault_instead(name, provider_names);
        if (is_one_of(name, later_providers)) {
            fault_at(faults, from, providers->where[i], "the provider '%s' is not in this version of triphase", shown);
        } else if (!is_one_of(name, provider_names)) {
            fault_at(faults, from, providers->where[i], "unknown provider '%s'%s", shown, instead);
        } else if (map->kind == NODE_MAP) {
            AUTO_FREE char *path = xasprintf("providers.%s", name);
            layers_add_map(loader->layers, source, path, SCOPE_TARGET, true, map, NULL, from, faults);
        } else if (map->kind != NODE_NULL) {
            fault_at(faults, from, providers->where[i], "the provider '%s' takes a map, not %s", shown, node_kind_name(map->kind));
        }
    }
}

/* The user's own file */

/* Behind sudo a file is read with root's rights for somebody else: only what is theirs, or anybody's to read. */
static bool may_be_read_for(const struct invoker *invoker, int fd)
{
    struct stat state;
    if (fstat(fd, &state) < 0 || !S_ISREG(state.st_mode))
        return false;
    return !invoker->behind_sudo || state.st_uid == invoker->uid || (state.st_mode & S_IROTH);
}

static void read_user_file(struct loader *loader)
{
    static const char *const known[] = {"ansible", "keep", "defaults", "providers", NULL};
    static const char *const others[] = {"defaults", "providers", NULL};
    AUTO_FREE char *folder = invoker_config_directory(&loader->invoker, loader->environment);
    AUTO_FREE char *path = loader->sources->user_file ? xstrdup(loader->sources->user_file) : folder ? file_join(folder, "config.yml") : NULL;
    if (!path)
        return;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            fault_add(&loader->warnings, path, "%s; the file is left out", strerror(errno));
        return;
    }
    if (!may_be_read_for(&loader->invoker, fd)) {
        fault_add(&loader->warnings, path, "not a file of the user who called sudo; it is left out");
        return;
    }
    AUTO_FREE char *same = xasprintf("/proc/self/fd/%d", fd);
    AUTO_TEXT bytes = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct node *root = NULL;
    AUTO_WORDS faults = WORDS_INIT;
    struct provenance from = {path, true};
    if (file_read(same, FILE_LIMIT, &bytes, &err) < 0)
        fault_add(&faults, path, "%s", error_text(&err));
    else if (yaml_read(text_string(&bytes), bytes.length, path, &root, &faults) == 0)
        layers_own(loader->layers, root);
    if (root && root->kind != NODE_MAP && root->kind != NODE_NULL)
        fault_at(&faults, &from, (struct node_place){1, 1}, "the file takes a map, not %s", node_kind_name(root->kind));
    if (root && root->kind == NODE_MAP) {
        for (size_t i = 0; i < root->count; i++) {
            AUTO_FREE char *shown = fault_shown(root->keys[i]), *instead = fault_instead(root->keys[i], known);
            if (!is_one_of(root->keys[i], known))
                fault_at(&faults, &from, root->where[i], "unknown key '%s'%s", shown, instead);
            else if (!is_one_of(root->keys[i], others))
                layers_add(loader->layers, SOURCE_USER, "", schema_find(SCOPE_PROJECT, root->keys[i]), NULL, root->items[i], root->where[i],
                           &from, &faults);
        }
        add_shared(loader, SOURCE_USER, root, &from, &faults);
    }
    for (size_t i = 0; i < faults.count; i++)
        words_addf(&loader->warnings, "%s (in the user's own file: left out)", faults.items[i]);
}

/* triphase.yml */

static int read_project_file(struct loader *loader)
{
    static const char *const others[] = {"defaults", "providers", "targets", NULL};
    AUTO_FREE char *path = file_join(loader->directory, project_file);
    struct provenance from = {project_file, true};
    struct node *root = NULL;
    if (yaml_read_file(path, project_file, &root, &loader->faults) < 0)
        return -1;
    layers_own(loader->layers, root);
    if (root->kind != NODE_MAP) {
        fault_at(&loader->faults, &from, (struct node_place){1, 1}, "the file takes a map that begins with 'project: NAME', not %s",
                 node_kind_name(root->kind));
        return -1;
    }
    layers_add_map(loader->layers, SOURCE_PROJECT, "", SCOPE_PROJECT, false, root, others, &from, &loader->faults);
    add_shared(loader, SOURCE_PROJECT, root, &from, &loader->faults);
    const struct node *targets = member_map(root, "targets", &from, &loader->faults);
    for (size_t i = 0; targets && i < targets->count; i++) {
        const char *name = targets->keys[i];
        const struct node *map = targets->items[i];
        AUTO_FREE char *problem = value_name_problem(name);
        if (problem) {
            fault_at(&loader->faults, &from, targets->where[i], "target %s", problem);
            continue;
        }
        AUTO_FREE char *target_path = xasprintf("targets.%s", name);
        outline_add(&loader->targets, name, targets->where[i], false);
        if (map->kind == NODE_MAP)
            layers_add_map(loader->layers, SOURCE_PROJECT, target_path, SCOPE_TARGET, false, map, NULL, &from, &loader->faults);
        else if (map->kind != NODE_NULL)
            fault_at(&loader->faults, &from, targets->where[i], "the target '%s' takes a map, not %s", name, node_kind_name(map->kind));
    }
    return 0;
}

static void add_target_spots(struct loader *loader)
{
    spots_add(&loader->spots, SCOPE_PROJECT, "%s", "");
    spots_add(&loader->spots, SCOPE_TARGET, "defaults");
    for (size_t i = 0; provider_names[i]; i++)
        spots_add(&loader->spots, SCOPE_TARGET, "providers.%s", provider_names[i]);
    for (size_t i = 0; i < loader->targets.count; i++)
        spots_add(&loader->spots, SCOPE_TARGET, "targets.%s", loader->targets.items[i].name);
}

/* Everything but the provider's own place, which the provider itself is looked up without. */
static void target_view(struct layers *layers, const char *name, struct view *out)
{
    *out = (struct view){.layers = layers, .scope = SCOPE_TARGET};
    out->paths[out->count++] = xstrdup("defaults");
    out->paths[out->count++] = xasprintf("targets.%s", name);
    AUTO_FREE char *provider = xstrdup(view_node(out, "provider")->text);
    out->paths[2] = out->paths[1];
    out->paths[1] = xasprintf("providers.%s", provider);
    out->count = 3;
}

static void phase_view(struct layers *layers, const char *recipe, const char *phase, struct view *out)
{
    *out = (struct view){.layers = layers, .scope = SCOPE_PHASE};
    out->paths[out->count++] = xasprintf("phases.%s.defaults", recipe);
    out->paths[out->count++] = xasprintf("phases.%s.%s", recipe, phase);
}

static void project_view(struct layers *layers, struct view *out)
{
    *out = (struct view){.layers = layers, .scope = SCOPE_PROJECT};
    out->paths[out->count++] = xstrdup("");
}

/* Recipes */

static void read_phases(struct loader *loader, const char *recipe, const struct node *list, bool teardown, const struct provenance *from,
                        struct outlines *outlines)
{
    const char *what = teardown ? "teardown" : "phases";
    if (list->kind != NODE_LIST) {
        fault_at(&loader->faults, from, (struct node_place){list->line, list->column}, "'%s' takes a list of phases, not %s", what,
                 node_kind_name(list->kind));
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct node *map = list->items[i];
        struct node_place at = {map->line, map->column};
        const struct node *name = node_get(map, "name");
        if (map->kind != NODE_MAP) {
            fault_at(&loader->faults, from, at, "a phase takes a map {name: ..., playbook: ...}, not %s", node_kind_name(map->kind));
            continue;
        }
        if (!name) {
            fault_at(&loader->faults, from, at, "a phase has no 'name', which is required");
            continue;
        }
        bool good = name->kind == NODE_STRING && value_is_name(name->text);
        AUTO_FREE char *path = good ? xasprintf("phases.%s.%s", recipe, name->text) : xasprintf("phases.%s.?%zu", recipe, i);
        layers_add_map(loader->layers, SOURCE_PROJECT, path, SCOPE_PHASE, false, map, NULL, from, &loader->faults);
        if (!good)
            continue;
        if (text_is(name->text, "defaults"))
            fault_at(&loader->faults, from, at, "a phase cannot be called 'defaults'");
        for (size_t j = 0; j < outlines->count; j++)
            if (text_is(outlines->items[j].name, name->text))
                fault_at(&loader->faults, from, (struct node_place){name->line, name->column}, "a second phase '%s' (first in line %d)", name->text,
                         outlines->items[j].at.line);
        outline_add(outlines, name->text, at, teardown);
    }
}

static void fault_no_recipe(struct loader *loader, const char *name, const char *origin)
{
    AUTO_FREE char *folder = file_join(loader->directory, "phases");
    AUTO_WORDS files = WORDS_INIT;
    AUTO_TEXT there = TEXT_INIT;
    file_list(folder, &files, NULL);
    for (size_t i = 0; i < files.count; i++)
        if (text_ends(files.items[i], ".yml"))
            text_addf(&there, "%s%.*s", there.length ? ", " : "", (int)strlen(files.items[i]) - 4, files.items[i]);
    fault_add(&loader->faults, origin, "there is no recipe '%s' (phases/%s.yml); %s%s", name, name, there.length ? "there are: " : "phases/ holds none",
              text_string(&there));
}

static void read_recipe(struct loader *loader, const char *name, const char *origin, struct outlines *outlines)
{
    static const char *const known[] = {"defaults", "phases", "teardown", NULL};
    AUTO_FREE char *file = xasprintf("phases/%s.yml", name);
    AUTO_FREE char *path = file_join(loader->directory, file);
    struct provenance from = {file, true};
    struct node *root = NULL;
    if (!file_exists(path)) {
        fault_no_recipe(loader, name, origin);
        return;
    }
    if (yaml_read_file(path, file, &root, &loader->faults) < 0)
        return;
    layers_own(loader->layers, root);
    if (root->kind != NODE_MAP) {
        fault_at(&loader->faults, &from, (struct node_place){1, 1}, "the file takes a map with a list 'phases', not %s", node_kind_name(root->kind));
        return;
    }
    for (size_t i = 0; i < root->count; i++) {
        AUTO_FREE char *shown = fault_shown(root->keys[i]), *instead = fault_instead(root->keys[i], known);
        if (!is_one_of(root->keys[i], known))
            fault_at(&loader->faults, &from, root->where[i], "unknown key '%s'%s", shown, instead);
    }
    const struct node *defaults = member_map(root, "defaults", &from, &loader->faults);
    AUTO_FREE char *shared = xasprintf("phases.%s.defaults", name);
    if (defaults)
        layers_add_map(loader->layers, SOURCE_PROJECT, shared, SCOPE_PHASE, true, defaults, NULL, &from, &loader->faults);
    const struct node *phases = node_get(root, "phases"), *teardown = node_get(root, "teardown");
    if (!phases || phases->kind == NODE_NULL || (phases->kind == NODE_LIST && !phases->count))
        fault_at(&loader->faults, &from, (struct node_place){1, 1}, "the recipe has no phase: 'phases' takes a list of at least one");
    else
        read_phases(loader, name, phases, false, &from, outlines);
    if (teardown && teardown->kind != NODE_NULL)
        read_phases(loader, name, teardown, true, &from, outlines);
}

/* Every recipe that a target names, once. Which those are, the environment and --set have already said. */
static void read_recipes(struct loader *loader)
{
    for (size_t i = 0; i < loader->targets.count; i++) {
        AUTO_VIEW view = {0};
        target_view(loader->layers, loader->targets.items[i].name, &view);
        const struct setting *setting = view_top(&view, "recipe");
        if (!setting || words_have(&loader->recipes, setting->node->text))
            continue;
        AUTO_FREE char *name = xstrdup(setting->node->text), *origin = xstrdup(setting->origin);
        words_add(&loader->recipes, name);
        loader->outlines = xreallocarray(loader->outlines, loader->recipes.count, sizeof *loader->outlines);
        struct outlines *outlines = &loader->outlines[loader->recipes.count - 1];
        *outlines = (struct outlines){0};
        read_recipe(loader, name, origin, outlines);
        spots_add(&loader->phase_spots, SCOPE_PHASE, "phases.%s.defaults", name);
        for (size_t j = 0; j < outlines->count; j++)
            spots_add(&loader->phase_spots, SCOPE_PHASE, "phases.%s.%s", name, outlines->items[j].name);
    }
}

/* From values to structs */

static void check_peers(struct loader *loader, const struct view *view, const char *own_name, struct target *target)
{
    AUTO_WORDS peers = WORDS_INIT, names = WORDS_INIT;
    const struct setting *setting = view_top(view, "peers");
    for (size_t i = 0; i < loader->targets.count; i++)
        words_add(&names, loader->targets.items[i].name);
    for (size_t i = 0; i < target->peers.count; i++) {
        const char *peer = target->peers.items[i];
        AUTO_FREE char *instead = fault_instead(peer, words_argv(&names));
        if (!words_have(&names, peer))
            fault_add(&loader->faults, setting->origin, "'peers': there is no target '%s'%s", peer, instead);
        else if (!text_is(peer, own_name) && !words_have(&peers, peer)) /* a list in `defaults` may name all */
            words_add(&peers, peer);
    }
    words_free(&target->peers);
    target->peers = peers;
    peers = (struct words)WORDS_INIT;
}

static void fill_recipe(struct loader *loader, const struct resolve *resolve, size_t index, struct recipe *out)
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
        struct phase *phase = outline->teardown ? &out->teardown[out->teardown_count++] : &out->phases[out->phase_count++];
        AUTO_VIEW view = {0};
        AUTO_FREE char *place = xasprintf("%s:%d:%d", file, outline->at.line, outline->at.column);
        phase_view(loader->layers, name, outline->name, &view);
        resolve_phase(resolve, &view, outline->name, outline->at.line, place, phase);
    }
}

static struct project *fill(struct loader *loader)
{
    struct project *project = xcalloc(1, sizeof *project);
    struct resolve resolve = {loader->directory, &loader->invoker, loader->environment, &loader->faults};
    AUTO_VIEW view = {0};
    project_view(loader->layers, &view);
    project->directory = xstrdup(loader->directory);
    resolve_project(&resolve, &view, project);
    project->targets = xcalloc(loader->targets.count, sizeof *project->targets);
    for (size_t i = 0; i < loader->targets.count; i++) {
        const struct outline *outline = &loader->targets.items[i];
        AUTO_VIEW target = {0};
        AUTO_FREE char *place = xasprintf("%s:%d:%d", project_file, outline->at.line, outline->at.column);
        target_view(loader->layers, outline->name, &target);
        resolve_target(&resolve, &target, outline->name, place, &project->targets[project->target_count]);
        check_peers(loader, &target, outline->name, &project->targets[project->target_count]);
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
    static const char *const nothing[] = {NULL};
    AUTO_FREE char *directory = config_find_directory(sources->start);
    if (!directory) {
        AUTO_FREE char *shown = fault_shown(sources->start ? sources->start : ".");
        return error_set(err, ERROR_PROJECT, "there is no triphase.yml in %s or any folder above it; 'triphase init' lays down a project", shown);
    }
    struct loader loader = {.sources = sources,
                            .directory = directory,
                            .environment = sources->environment ? sources->environment : nothing,
                            .layers = layers_new()};
    AUTO_PROJECT *project = NULL;
    invoker_find(loader.environment, &loader.invoker);
    read_user_file(&loader);
    if (read_project_file(&loader) == 0) {
        add_target_spots(&loader);
        environment_add(loader.layers, &loader.spots, false, loader.environment, &loader.faults);
        environment_add_sets(loader.layers, &loader.spots, false, sources->sets, &loader.set_faults);
        read_recipes(&loader);
        environment_add(loader.layers, &loader.phase_spots, true, loader.environment, &loader.faults);
        environment_add_sets(loader.layers, &loader.phase_spots, true, sources->sets, &loader.set_faults);
        project = fill(&loader);
    }
    int result = report(&loader, err);
    if (result == 0) {
        project->layers = TAKE(loader.layers);
        project->warnings = loader.warnings;
        loader.warnings = (struct words)WORDS_INIT;
        *out = TAKE(project);
    }
    loader_clear(&loader);
    return result;
}

/* Explaining */

struct explanation {
    config_explain_function *function;
    void *context;
};

static void explain_field(const struct explanation *to, const struct view *view, const char *path, const struct key *key, const char *field)
{
    size_t count = view_chain(view, field, NULL, 0);
    const struct setting **chain = xcalloc(count, sizeof(const struct setting *));
    const struct node *preset = layers_preset(view->layers, key);
    AUTO_FREE char *full = xasprintf("%s%s%s", path, *path ? "." : "", field);
    AUTO_FREE char *built_in = preset ? node_flow(preset) : xstrdup("null");
    AUTO_FREE char *value = NULL;
    AUTO_FREE char *origin = NULL;
    AUTO_WORDS hidden = WORDS_INIT;
    view_chain(view, field, chain, count);
    for (size_t i = 1; i < count; i++) {
        AUTO_FREE char *flow = node_flow(chain[i]->node);
        words_addf(&hidden, "%s: %s", chain[i]->origin, flow);
    }
    if (count) {
        value = node_flow(chain[0]->node);
        origin = xstrdup(chain[0]->origin);
        if (preset)
            words_addf(&hidden, "built-in: %s", built_in);
    } else {
        value = xstrdup(built_in);
        origin = key->note ? xasprintf("built-in (%s)", key->note) : xstrdup("built-in");
    }
    free(chain);
    to->function(to->context, full, value, origin, words_argv(&hidden));
}

static void explain_view(const struct explanation *to, const struct view *view, const char *path, bool sandbox)
{
    for (size_t i = 0; i < schema_key_count; i++) {
        const struct key *key = &schema_keys[i];
        bool left_out = key->scope != view->scope || key->flags & KEY_LATER || key->type == VALUE_FIELDS ||
                        (key->scope == SCOPE_PHASE && key->flags & KEY_OWN) || (!sandbox && key->scope == SCOPE_TARGET && text_is(key->name, "root"));
        if (left_out)
            continue;
        if (!schema_is_open(key)) {
            explain_field(to, view, path, key, key->name);
            continue;
        }
        AUTO_WORDS entries = WORDS_INIT;
        view_entries(view, key->name, &entries);
        for (size_t j = 0; j < entries.count; j++) {
            AUTO_FREE char *field = xasprintf("%s.%s", key->name, entries.items[j]);
            explain_field(to, view, path, key, field);
        }
    }
}

static void explain_recipe(const struct explanation *to, const struct project *project, const struct recipe *recipe)
{
    const struct phase *lists[] = {recipe->phases, recipe->teardown};
    size_t counts[] = {recipe->phase_count, recipe->teardown_count};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        for (size_t j = 0; j < counts[i]; j++) {
            AUTO_VIEW view = {0};
            phase_view(project->layers, recipe->name, lists[i][j].name, &view);
            explain_view(to, &view, view.paths[1], false);
        }
    }
}

static void explain_target(const struct explanation *to, const struct project *project, const struct target *target)
{
    AUTO_VIEW view = {0};
    target_view(project->layers, target->name, &view);
    explain_view(to, &view, view.paths[2], text_is(target->provider, "sandbox"));
}

void config_explain(const struct project *project, const struct target *target, config_explain_function *function, void *context)
{
    struct explanation to = {function, context};
    AUTO_VIEW view = {0};
    project_view(project->layers, &view);
    explain_view(&to, &view, "", false);
    if (target) {
        explain_target(&to, project, target);
        explain_recipe(&to, project, project_recipe(project, target->recipe));
        return;
    }
    for (size_t i = 0; i < project->target_count; i++)
        explain_target(&to, project, &project->targets[i]);
    for (size_t i = 0; i < project->recipe_count; i++)
        explain_recipe(&to, project, &project->recipes[i]);
}
