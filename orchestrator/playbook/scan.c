#include "playbook/scan.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/yaml.h"
#include "playbook/task.h"

#include <string.h>

enum { FILES_MAX = 20000, DEPTH_MAX = 32 };

struct walk {
    const struct project *project;
    const char *playbook_folder; /* absolute: roles lie beside it */
    struct words seen;
    struct looks looks;
    struct reads *reads; /* NULL: only findings are asked for */
    const char *role;    /* folder of the role whose tasks are looked at; NULL: none */
    char *inventory_folder;
    const struct node **maps; /* variables that are known here */
    size_t map_count;
    struct node **owned; /* documents that such variables are of */
    size_t owned_count;
    int depth;
};

/* ------------------------------------------------------------ what tasks read */

static void push(struct walk *walk, const struct node *map)
{
    if (!walk->reads || !map || map->kind != NODE_MAP)
        return;
    walk->maps = xreallocarray(walk->maps, walk->map_count + 1, sizeof *walk->maps);
    walk->maps[walk->map_count++] = map;
}

/* Variables of a file, known until the walk ends as far as nobody takes them off before. */
static void push_file(struct walk *walk, const char *path)
{
    AUTO_WORDS faults = WORDS_INIT;
    struct node *document = NULL;
    if (file_is_dir(path) || walk->owned_count >= FILES_MAX ||
        yaml_read_file(path, path, &document, &faults) < 0)
        return;
    looks_at_variables(&walk->looks, path, document);
    walk->owned = xreallocarray(walk->owned, walk->owned_count + 1, sizeof *walk->owned);
    walk->owned[walk->owned_count++] = document;
    push(walk, document);
}

static void push_folder(struct walk *walk, const char *folder, const char *name)
{
    static const char *const endings[] = {".yml", ".yaml"};
    AUTO_FREE char *inside = file_join(folder, name);
    AUTO_WORDS files = WORDS_INIT;
    if (file_is_dir(inside))
        (void)file_list(inside, &files, NULL);
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        AUTO_FREE char *path = xasprintf("%s%s", inside, endings[i]);
        if (file_exists(path))
            push_file(walk, path);
    }
    for (size_t i = 0; i < files.count; i++) {
        AUTO_FREE char *path = file_join(inside, files.items[i]);
        if (text_ends(path, ".yml") || text_ends(path, ".yaml"))
            push_file(walk, path);
    }
}

static void add_reads(struct walk *walk, const char *file, const struct node *task, const char *module,
                      const struct node *value)
{
    if (!walk->reads || !value)
        return;
    const struct node *loop = NULL;
    for (size_t i = 0; task && i < task->count; i++)
        if (text_is(task->keys[i], "loop") || text_is(task->keys[i], "with_items"))
            loop = task->items[i];
    struct meaning_names names = {.playbook_dir = walk->playbook_folder,
                                  .inventory_dir = walk->inventory_folder,
                                  .role_path = walk->role,
                                  .maps = walk->maps,
                                  .map_count = walk->map_count,
                                  .loop = loop,
                                  .loop_name =
                                      task_text(node_get(node_get(task, "loop_control"), "loop_var"))};
    struct reads_place place = {.project = walk->project->directory,
                                .playbook_folder = walk->playbook_folder,
                                .file = file,
                                .names = &names};
    reads_add(walk->reads, &place, module, value);
}

/* ------------------------------------------------------------ files */

static void walk_tasks(struct walk *walk, const char *file, const struct node *tasks);
static void walk_play_file(struct walk *walk, const char *path);

/* The document of a file seen for the first time; NULL when it was seen or cannot be read. */
static struct node *open_once(struct walk *walk, const char *path)
{
    AUTO_FREE char *real = realpath(path, NULL);
    AUTO_WORDS faults = WORDS_INIT;
    struct node *document = NULL;
    if (!real || walk->depth >= DEPTH_MAX || walk->seen.count >= FILES_MAX || words_have(&walk->seen, real))
        return NULL;
    words_own(&walk->seen, TAKE(real));
    if (walk->reads) {
        words_add(&walk->reads->files, path);
        words_add(&walk->reads->code, path);
    }
    return yaml_read_file(path, path, &document, &faults) == 0 ? document : NULL;
}

static void walk_task_file(struct walk *walk, const char *path)
{
    AUTO_NODE *document = open_once(walk, path);
    walk->depth++;
    if (document)
        walk_tasks(walk, path, document);
    walk->depth--;
}

static void walk_folder(struct walk *walk, const char *folder)
{
    AUTO_WORDS names = WORDS_INIT;
    if (walk->depth >= DEPTH_MAX)
        return;
    walk->depth++;
    (void)file_list(folder, &names, NULL);
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = file_join(folder, names.items[i]);
        if (file_is_dir(path))
            walk_folder(walk, path);
        else if (text_ends(path, ".yml") || text_ends(path, ".yaml"))
            walk_task_file(walk, path);
    }
    walk->depth--;
}

/* What a role begins with; the other files are reached from there, or belong to those who name them. */
static void walk_first_of(struct walk *walk, const char *tasks)
{
    static const char *const names[] = {"main.yml", "main.yaml", "main"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *path = file_join(tasks, names[i]);
        if (file_exists(path)) {
            walk_task_file(walk, path);
            return;
        }
    }
}

/* Of a role, or beside a playbook. */
static void look_at_templates(struct walk *walk, const char *base)
{
    AUTO_FREE char *folder = file_join(base, "templates");
    AUTO_WORDS names = WORDS_INIT;
    if (walk->looks.out)
        (void)file_list(folder, &names, NULL);
    for (size_t i = 0; i < names.count && i < FILES_MAX; i++) {
        AUTO_FREE char *path = file_join(folder, names.items[i]);
        looks_at_text(&walk->looks, path);
    }
}

static void walk_roles(struct walk *walk, const char *file, const struct node *roles);

static void walk_role(struct walk *walk, const char *name)
{
    if (!name || meaning_is_templated(name) || walk->depth >= DEPTH_MAX)
        return;
    const char *bases[] = {walk->playbook_folder, walk->project->directory};
    for (size_t i = 0; i < COUNT_OF(bases); i++) {
        AUTO_FREE char *role = xasprintf("%s/roles/%s", bases[i], name);
        if (!file_is_dir(role))
            continue;
        if (walk->looks.out)
            looks_add(&walk->looks, SCAN_NAME, role, 1, name);
        AUTO_FREE char *tasks = file_join(role, "tasks");
        AUTO_FREE char *handlers = file_join(role, "handlers");
        const char *around = walk->role;
        walk->role = role;
        push_folder(walk, role, "defaults");
        push_folder(walk, role, "vars");
        look_at_templates(walk, role);
        walk_first_of(walk, tasks);
        walk->looks.unordered++;
        walk_folder(walk, tasks);
        walk_folder(walk, handlers);
        walk->looks.unordered--;
        walk->role = around;
        if (walk->reads) {
            words_add(&walk->reads->files, role);
            words_add(&walk->reads->code, role);
        }
        AUTO_FREE char *meta = file_join(role, "meta/main.yml");
        AUTO_NODE *document = open_once(walk, meta);
        size_t known = walk->map_count;
        walk->depth++;
        walk->looks.unordered++;
        walk_roles(walk, meta, node_get(document, "dependencies"));
        walk->looks.unordered--;
        walk->depth--;
        walk->map_count = known; /* what is known of it ends with the document */
        return;
    }
}

/* The keywords that a role's entry or an `apply` lays upon the tasks, as those of a block around them. */
static void look_at_keywords(struct walk *walk, const char *file, const struct node *around)
{
    static const char *const names[] = {"role", "name", NULL};
    for (size_t i = 0; around && around->kind == NODE_MAP && i < around->count; i++)
        if (!text_is_one_of(around->keys[i], names))
            looks_at(&walk->looks, file, around, around->keys[i], around->items[i], around->where[i].line);
}

static void walk_roles(struct walk *walk, const char *file, const struct node *roles)
{
    for (size_t i = 0; roles && roles->kind == NODE_LIST && i < roles->count; i++) {
        const struct node *role = roles->items[i];
        if (!walk->reads && task_never_runs(role))
            continue;
        look_at_keywords(walk, file, role);
        if (role->kind == NODE_MAP) /* what is no keyword is a variable */
            looks_at(&walk->looks, file, role, "vars", role, role->line);
        const struct node *name = node_get(role, "role") ? node_get(role, "role") : node_get(role, "name");
        push(walk, node_get(role, "vars"));
        walk_role(walk, task_text(role) ? task_text(role) : task_text(name));
    }
}

static void walk_included_role(struct walk *walk, const struct node *role)
{
    bool from_main = !node_get(role, "tasks_from");
    walk->looks.unordered += !from_main;
    walk_role(walk, task_text(node_get(role, "name")));
    walk->looks.unordered -= !from_main;
}

/* A file named by an include: beside the one that names it. */
static void walk_included(struct walk *walk, const char *file, const struct node *value,
                          void (*visit)(struct walk *, const char *))
{
    const char *name = task_text(value) ? task_text(value) : task_text(node_get(value, "file"));
    if (!name || meaning_is_templated(name))
        return;
    AUTO_FREE char *folder = file_parent(file);
    AUTO_FREE char *path = file_join(folder, name);
    visit(walk, path);
}

static void walk_task(struct walk *walk, const char *file, const struct node *task)
{
    static const char *const sections[] = {"block", "rescue", "always", NULL};
    static const char *const includes[] = {"include_role", "import_role", "include_tasks", NULL};
    size_t known = walk->map_count;
    if (!walk->reads && task_never_runs(task))
        return;
    push(walk, node_get(task, "vars"));
    for (size_t i = 0; sections[i]; i++)
        walk_tasks(walk, file, node_get(task, sections[i]));
    for (size_t i = 0; i < task->count; i++) {
        const char *module = task_short_name(task->keys[i]);
        const struct node *value = task->items[i];
        int line = task->where[i].line;
        bool is_section = text_is_one_of(module, sections);
        if (!is_section)
            add_reads(walk, file, task, module, value);
        if (text_is(module, "include_tasks") || text_is(module, "import_tasks") || text_is(module, "include"))
            walk_included(walk, file, value, walk_task_file);
        else if (text_is(module, "include_role") || text_is(module, "import_role"))
            walk_included_role(walk, value);
        else if (text_is(module, "add_host") || text_is(module, "group_by"))
            looks_add(&walk->looks, SCAN_DYNAMIC, file, line, module);
        if (text_is_one_of(module, includes)) {
            look_at_keywords(walk, file, node_get(value, "apply"));
            look_at_keywords(walk, file, node_get(node_get(task, "args"), "apply"));
        }
        AUTO_NODE *arguments = NULL;
        AUTO_FREE char *named = text_is(module, "action") || text_is(module, "local_action")
                                    ? task_named_module(value, &arguments)
                                    : NULL;
        if (!is_section)
            looks_at(&walk->looks, file, task, module, value, line);
        if (named)
            looks_at(&walk->looks, file, task, named, arguments, line);
    }
    walk->map_count = known;
}

static void walk_tasks(struct walk *walk, const char *file, const struct node *tasks)
{
    if (!tasks || tasks->kind != NODE_LIST || walk->depth >= DEPTH_MAX)
        return;
    walk->depth++;
    for (size_t i = 0; i < tasks->count; i++)
        if (tasks->items[i]->kind == NODE_MAP)
            walk_task(walk, file, tasks->items[i]);
    walk->depth--;
}

/* `{{ triphase_host }}`, with a default for those who run the playbook by themselves: the target's host and
 * no other. */
static bool is_the_host(const char *pattern)
{
    static const char name[] = "triphase_host";
    const char *at = pattern + strspn(pattern, "{ ");
    return text_starts(pattern, "{{") && text_starts(at, name) && strchr(" |}", at[sizeof(name) - 1]) &&
           !strstr(at, "{{") && text_ends(pattern, "}}");
}

static void walk_hosts(struct walk *walk, const char *file, const struct node *hosts)
{
    if (!hosts)
        return;
    if (hosts->kind == NODE_LIST) {
        for (size_t i = 0; i < hosts->count; i++)
            if (node_is_scalar(hosts->items[i]))
                walk_hosts(walk, file, hosts->items[i]);
    } else if (task_text(hosts) && meaning_is_templated(hosts->text) && !is_the_host(hosts->text)) {
        looks_add(&walk->looks, SCAN_TEMPLATED, file, hosts->line, hosts->text);
    }
}

static void add_hosts(struct walk *walk, const char *file, const struct node *hosts)
{
    AUTO_TEXT listed = TEXT_INIT;
    size_t count = hosts && hosts->kind == NODE_LIST ? hosts->count : 1;
    for (size_t i = 0; i < count; i++) {
        const char *pattern = task_text(hosts && hosts->kind == NODE_LIST ? hosts->items[i] : hosts);
        if (!pattern || meaning_is_templated(pattern))
            return;
        text_addf(&listed, "%s'%s'", i ? ", " : "[", pattern);
    }
    text_add_char(&listed, ']');
    looks_add(&walk->looks, SCAN_HOSTS, file, hosts ? hosts->line : 0, text_string(&listed));
}

static void walk_play(struct walk *walk, const char *file, const struct node *play)
{
    static const char *const sections[] = {"pre_tasks", "tasks", "post_tasks", "handlers", NULL};
    const struct node *import = node_get(play, "import_playbook")
                                    ? node_get(play, "import_playbook")
                                    : node_get(play, "ansible.builtin.import_playbook");
    if (import) {
        walk_included(walk, file, import, walk_play_file);
        return;
    }
    walk_hosts(walk, file, node_get(play, "hosts"));
    add_hosts(walk, file, node_get(play, "hosts"));
    const struct node *prompts = node_get(play, "vars_prompt");
    for (size_t i = 0; prompts && prompts->kind == NODE_LIST && i < prompts->count; i++) {
        const struct node *name = node_get(prompts->items[i], "name");
        if (task_text(name))
            looks_add(&walk->looks, SCAN_PROMPT, file, name->line, name->text);
    }
    size_t known = walk->map_count;
    const char *hosts = task_text(node_get(play, "hosts"));
    walk->looks.here = text_is(hosts, "localhost") || text_is(hosts, "127.0.0.1") ||
                       text_is(task_text(node_get(play, "connection")), "local");
    walk->looks.strategy = task_text(node_get(play, "strategy"));
    const struct node *files = node_get(play, "vars_files");
    push(walk, node_get(play, "vars"));
    for (size_t i = 0; files && files->kind == NODE_LIST && i < files->count; i++)
        if (task_text(files->items[i])) {
            AUTO_FREE char *path = file_join(walk->playbook_folder, files->items[i]->text);
            push_file(walk, path);
        }
    walk_roles(walk, file, node_get(play, "roles"));
    add_reads(walk, file, NULL, "vars_files", files);
    add_reads(walk, file, NULL, "vars", node_get(play, "vars"));
    for (size_t i = 0; i < play->count; i++)
        if (!text_is_one_of(play->keys[i], sections))
            looks_at(&walk->looks, file, play, play->keys[i], play->items[i], play->where[i].line);
    /* Handlers run at the end of each section; of the roles and the tasks together. */
    struct owed_handlers of_roles = walk->looks.owed;
    walk->looks.owed = (struct owed_handlers){0};
    for (size_t i = 0; sections[i]; i++) {
        if (text_is(sections[i], "tasks"))
            walk->looks.owed = of_roles;
        walk->looks.unordered += text_is(sections[i], "handlers");
        walk_tasks(walk, file, node_get(play, sections[i]));
        walk->looks.unordered -= text_is(sections[i], "handlers");
        handlers_clear(&walk->looks.owed);
    }
    walk->map_count = known;
}

static void walk_play_file(struct walk *walk, const char *path)
{
    AUTO_NODE *document = open_once(walk, path);
    walk->depth++;
    for (size_t i = 0; document && document->kind == NODE_LIST && i < document->count; i++)
        if (document->items[i]->kind == NODE_MAP)
            walk_play(walk, path, document->items[i]);
    walk->depth--;
}

static void push_settings(struct walk *walk, const struct node *vars)
{
    static const char *const names[] = {"group_vars", "host_vars"};
    const char *const folders[] = {walk->playbook_folder, walk->inventory_folder};
    for (size_t f = 0; f < COUNT_OF(folders); f++)
        for (size_t n = 0; n < COUNT_OF(names); n++) {
            AUTO_FREE char *folder = file_join(folders[f], names[n]);
            AUTO_WORDS inside = WORDS_INIT;
            (void)file_list(folder, &inside, NULL);
            push_folder(walk, folders[f], names[n]);
            for (size_t i = 0; i < inside.count; i++)
                push_folder(walk, folder, inside.items[i]);
        }
    push(walk, vars);
}

static void walk_playbook(const struct project *project, const char *playbook, const struct node *vars,
                          struct scan *out, struct reads *reads)
{
    AUTO_FREE char *path = file_join(project->directory, playbook);
    AUTO_FREE char *folder = file_parent(path);
    const char *first = project->inventory.count ? project->inventory.items[0] : "";
    AUTO_FREE char *inventory = file_join(project->directory, first);
    struct walk walk = {
        .project = project, .playbook_folder = folder, .looks = {project->directory, out}, .reads = reads};
    walk.inventory_folder = file_folder(inventory);
    push_settings(&walk, vars);
    look_at_templates(&walk, folder);
    walk_play_file(&walk, path);
    for (size_t i = 0; i < walk.owned_count; i++)
        node_free(walk.owned[i]);
    free(walk.owned);
    free(walk.maps);
    free(walk.inventory_folder);
    words_clear(&walk.seen);
}

void scan_playbook(const struct project *project, const char *playbook, struct scan *out)
{
    walk_playbook(project, playbook, NULL, out, NULL);
}

void scan_reads(const struct project *project, const struct phase *phase, struct reads *out)
{
    walk_playbook(project, phase->playbook, phase->vars, NULL, out);
}
