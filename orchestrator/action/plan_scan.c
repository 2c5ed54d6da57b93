#include "action/plan_scan.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "mechanism/yaml.h"

#include <string.h>

enum { FILES_MAX = 2000, DEPTH_MAX = 32 };

struct walk {
    const struct project *project;
    const char *playbook_folder; /* absolute: roles lie beside it */
    struct words seen;
    struct scan *out;    /* NULL: only files are asked for */
    struct words *files; /* NULL: only findings are asked for */
    int depth;
};

static void add(struct walk *walk, enum scan_kind kind, const char *file, int line, const char *text)
{
    struct scan *out = walk->out;
    if (!out)
        return;
    const char *directory = walk->project->directory;
    size_t length = strlen(directory);
    if (!strncmp(file, directory, length) && file[length] == '/')
        file += length + 1;
    AUTO_FREE char *where = xasprintf("%s:%d", file, line);
    for (size_t i = 0; i < out->count; i++)
        if (out->items[i].kind == kind && text_is(out->items[i].where, where) &&
            text_is(out->items[i].text, text))
            return;
    out->items = xreallocarray(out->items, out->count + 1, sizeof(*out->items));
    out->items[out->count++] = (struct scan_item){kind, TAKE(where), xstrdup(text)};
}

void scan_free(struct scan *scan)
{
    for (size_t i = 0; i < scan->count; i++) {
        free(scan->items[i].where);
        free(scan->items[i].text);
    }
    free(scan->items);
    *scan = (struct scan){0};
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
}

static bool is_templated(const char *text)
{
    return strstr(text, "{{") || strstr(text, "{%");
}

static const char *text_of(const struct node *node)
{
    return node && node_is_scalar(node) ? node->text : NULL;
}

/* Without "ansible.builtin." or "ansible.legacy.". */
static const char *short_name(const char *module)
{
    return text_starts(module, "ansible.builtin.")  ? module + 16
           : text_starts(module, "ansible.legacy.") ? module + 15
                                                    : module;
}

/* ------------------------------------------------------------ restarts */

static const char *const carriers[] = {"ssh",
                                       "sshd",
                                       "network",
                                       "networking",
                                       "systemd-networkd",
                                       "NetworkManager",
                                       "network-manager",
                                       "docker",
                                       "dockerd",
                                       "tailscaled",
                                       "tailscale",
                                       NULL};

/* The service's name without ".service" when the connection hangs on it; NULL else. Static. */
static const char *carrier(const char *word)
{
    size_t length = strlen(word);
    if (text_ends(word, ".service") || text_ends(word, ".socket"))
        length = (size_t)(strrchr(word, '.') - word);
    for (const char *const *name = carriers; *name; name++)
        if (strlen(*name) == length && !strncmp(word, *name, length))
            return *name;
    return NULL;
}

/* A shell text: the service it restarts while its own connection waits; NULL: none. */
static const char *restarted_by_shell(const char *text)
{
    AUTO_FREE char *copy = xstrdup(text);
    char *rest = NULL;
    for (char *part = strtok_r(copy, "\n;&|", &rest); part; part = strtok_r(NULL, "\n;&|", &rest)) {
        const char *service = NULL;
        bool manager = false, verb = false;
        char *inner = NULL;
        const char *before = "";
        for (char *word = strtok_r(part, " \t'\"()`$", &inner); word;
             word = strtok_r(NULL, " \t'\"()`$", &inner)) {
            const char *name = strrchr(word, '/') ? strrchr(word, '/') + 1 : word;
            manager = manager || text_is(name, "systemctl") || text_is(name, "service") ||
                      text_is(name, "invoke-rc.d") || text_is(name, "rc-service") ||
                      text_starts(word, "/etc/init.d/");
            verb = verb || text_is(word, "restart") || text_is(word, "stop") ||
                   text_is(word, "try-restart") || text_is(word, "reload-or-restart");
            if (!service)
                service = carrier(name);
            if ((text_is(before, "netplan") && text_is(word, "apply")) || text_is(name, "ifdown"))
                return "network";
            if (text_is(before, "tailscale") && text_is(word, "down"))
                return "tailscaled";
            before = name;
        }
        if (manager && verb && service)
            return service;
    }
    return NULL;
}

/* "name=ssh state=restarted" or a map: the argument's text, malloc'ed or NULL. */
static char *argument(const struct node *arguments, const char *name)
{
    const char *value = text_of(node_get(arguments, name));
    if (value)
        return xstrdup(value);
    if (!arguments || arguments->kind != NODE_STRING)
        return NULL;
    AUTO_FREE char *copy = xstrdup(arguments->text);
    size_t length = strlen(name);
    char *rest = NULL;
    for (char *word = strtok_r(copy, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest))
        if (!strncmp(word, name, length) && word[length] == '=')
            return xstrdup(word + length + 1);
    return NULL;
}

static bool is_asynchronous(const struct node *task)
{
    const char *limit = text_of(node_get(task, "async"));
    return limit && *limit && !text_is(limit, "0");
}

static void look_at_restart(struct walk *walk, const char *file, const struct node *task, const char *module,
                            const struct node *arguments, int line)
{
    if (is_asynchronous(task))
        return;
    if (text_is(module, "service") || text_is(module, "systemd") || text_is(module, "systemd_service") ||
        text_is(module, "sysvinit")) {
        AUTO_FREE char *name = argument(arguments, "name");
        AUTO_FREE char *state = argument(arguments, "state");
        if (!name || (!text_is(state, "restarted") && !text_is(state, "stopped")))
            return;
        const char *service = carrier(name);
        if (service)
            add(walk, SCAN_RESTART, file, line, service);
        const struct node *loop =
            node_get(task, "loop") ? node_get(task, "loop") : node_get(task, "with_items");
        for (size_t i = 0; loop && loop->kind == NODE_LIST && strstr(name, "item") && i < loop->count; i++) {
            service = text_of(loop->items[i]) ? carrier(loop->items[i]->text) : NULL;
            if (service)
                add(walk, SCAN_RESTART, file, line, service);
        }
    } else if (text_is(module, "shell") || text_is(module, "command") || text_is(module, "raw")) {
        AUTO_FREE char *cmd = arguments && arguments->kind == NODE_MAP ? argument(arguments, "cmd")
                                                                       : xstrdup_or_null(text_of(arguments));
        const char *service = cmd ? restarted_by_shell(cmd) : NULL;
        if (service)
            add(walk, SCAN_RESTART, file, line, service);
    }
}

/* ------------------------------------------------------------ what tasks read */

/* A word of a play or task that names a file where Ansible would look for it. Where a template or lookup decides, all that could be meant counts. */
static void add_read(struct walk *walk, const char *file, const char *key, const char *word)
{
    static const char *const below[] = {"files", "templates", "vars", "tasks", NULL};
    bool any = is_templated(word) && (strstr(word, "lookup") || strstr(word, "query") ||
                                      text_is(key, "src") || text_is(key, "file") || text_is(key, "dir") ||
                                      text_is(key, "include_vars") || text_is(key, "vars_files"));
    if (!any && (is_templated(word) || strchr(word, '\n') || strlen(word) > 255 || !*word))
        return;
    /* Most absolute paths are the host's. */
    if (!any && *word == '/' && !text_starts(word, walk->project->directory))
        return;
    AUTO_FREE char *folder = folder_of(file);
    const char *const bases[] = {folder, walk->playbook_folder};
    for (size_t b = 0; b < COUNT_OF(bases); b++)
        for (size_t i = 0; i < COUNT_OF(below) - any; i++) {
            AUTO_FREE char *place = below[i] ? file_join(bases[b], below[i]) : xstrdup(bases[b]);
            AUTO_FREE char *path = any ? xstrdup(place) : file_join(place, word);
            bool folder_itself = text_is(word, ".") || text_is(word, "..") || text_is(word, "/");
            if (file_exists(path) && !folder_itself)
                words_add(walk->files, path);
        }
}

static void add_reads(struct walk *walk, const char *file, const char *key, const struct node *value)
{
    if (!walk->files || !value || walk->depth >= DEPTH_MAX)
        return;
    walk->depth++;
    if (text_of(value))
        add_read(walk, file, key, value->text);
    for (size_t i = 0; !text_of(value) && i < value->count; i++)
        add_reads(walk, file, value->kind == NODE_MAP ? value->keys[i] : key, value->items[i]);
    walk->depth--;
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
    if (walk->files)
        words_add(walk->files, path);
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

static void walk_roles(struct walk *walk, const struct node *roles);

static void walk_role(struct walk *walk, const char *name)
{
    if (!name || is_templated(name) || walk->depth >= DEPTH_MAX)
        return;
    const char *bases[] = {walk->playbook_folder, walk->project->directory};
    for (size_t i = 0; i < COUNT_OF(bases); i++) {
        AUTO_FREE char *role = xasprintf("%s/roles/%s", bases[i], name);
        if (!file_is_dir(role))
            continue;
        AUTO_FREE char *tasks = file_join(role, "tasks");
        AUTO_FREE char *handlers = file_join(role, "handlers");
        walk_folder(walk, tasks);
        walk_folder(walk, handlers);
        if (!walk->files)
            return;
        words_add(walk->files, role);
        AUTO_FREE char *meta = file_join(role, "meta/main.yml");
        AUTO_NODE *document = open_once(walk, meta);
        walk->depth++;
        walk_roles(walk, node_get(document, "dependencies"));
        walk->depth--;
        return;
    }
}

static void walk_roles(struct walk *walk, const struct node *roles)
{
    for (size_t i = 0; roles && roles->kind == NODE_LIST && i < roles->count; i++) {
        const struct node *role = roles->items[i];
        const struct node *name = node_get(role, "role") ? node_get(role, "role") : node_get(role, "name");
        walk_role(walk, text_of(role) ? text_of(role) : text_of(name));
    }
}

/* A file named by an include: beside the one that names it. */
static void walk_included(struct walk *walk, const char *file, const struct node *value,
                          void (*visit)(struct walk *, const char *))
{
    const char *name = text_of(value) ? text_of(value) : text_of(node_get(value, "file"));
    if (!name || is_templated(name))
        return;
    AUTO_FREE char *folder = folder_of(file);
    AUTO_FREE char *path = file_join(folder, name);
    visit(walk, path);
}

static void walk_task(struct walk *walk, const char *file, const struct node *task)
{
    static const char *const sections[] = {"block", "rescue", "always"};
    for (size_t i = 0; i < COUNT_OF(sections); i++)
        walk_tasks(walk, file, node_get(task, sections[i]));
    for (size_t i = 0; i < task->count; i++) {
        const char *module = short_name(task->keys[i]);
        const struct node *value = task->items[i];
        int line = task->where[i].line;
        if (!text_is(module, "block") && !text_is(module, "rescue") && !text_is(module, "always"))
            add_reads(walk, file, module, value);
        if (text_is(module, "include_tasks") || text_is(module, "import_tasks") || text_is(module, "include"))
            walk_included(walk, file, value, walk_task_file);
        else if (text_is(module, "include_role") || text_is(module, "import_role"))
            walk_role(walk, text_of(node_get(value, "name")));
        else if (text_is(module, "add_host") || text_is(module, "group_by"))
            add(walk, SCAN_DYNAMIC, file, line, module);
        else if (text_is(module, "action") || text_is(module, "local_action"))
            continue;
        else
            look_at_restart(walk, file, task, module, value, line);
    }
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

static void walk_hosts(struct walk *walk, const char *file, const struct node *hosts)
{
    if (!hosts)
        return;
    if (hosts->kind == NODE_LIST) {
        for (size_t i = 0; i < hosts->count; i++)
            if (node_is_scalar(hosts->items[i]))
                walk_hosts(walk, file, hosts->items[i]);
    } else if (text_of(hosts) && is_templated(hosts->text)) {
        add(walk, SCAN_TEMPLATED, file, hosts->line, hosts->text);
    }
}

static void walk_play(struct walk *walk, const char *file, const struct node *play)
{
    static const char *const sections[] = {"pre_tasks", "tasks", "post_tasks", "handlers"};
    const struct node *import = node_get(play, "import_playbook")
                                    ? node_get(play, "import_playbook")
                                    : node_get(play, "ansible.builtin.import_playbook");
    if (import) {
        walk_included(walk, file, import, walk_play_file);
        return;
    }
    walk_hosts(walk, file, node_get(play, "hosts"));
    const struct node *prompts = node_get(play, "vars_prompt");
    for (size_t i = 0; prompts && prompts->kind == NODE_LIST && i < prompts->count; i++) {
        const struct node *name = node_get(prompts->items[i], "name");
        if (text_of(name))
            add(walk, SCAN_PROMPT, file, name->line, name->text);
    }
    walk_roles(walk, node_get(play, "roles"));
    add_reads(walk, file, "vars_files", node_get(play, "vars_files"));
    add_reads(walk, file, "vars", node_get(play, "vars"));
    for (size_t i = 0; i < COUNT_OF(sections); i++)
        walk_tasks(walk, file, node_get(play, sections[i]));
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

static void walk_playbook(const struct project *project, const char *playbook, struct scan *out,
                          struct words *files)
{
    AUTO_FREE char *path = file_join(project->directory, playbook);
    AUTO_FREE char *folder = folder_of(path);
    struct walk walk = {.project = project, .playbook_folder = folder, .out = out, .files = files};
    walk_play_file(&walk, path);
    words_free(&walk.seen);
}

void scan_playbook(const struct project *project, const char *playbook, struct scan *out)
{
    walk_playbook(project, playbook, out, NULL);
}

void scan_files(const struct project *project, const char *playbook, struct words *out)
{
    walk_playbook(project, playbook, NULL, out);
}
