#include "action/used_files.h"

#include "action/plan_scan.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What is larger counts by size and time: nobody waits for the digest of an image. */
enum { CONTENT_MOST = 4 << 20, FILES_MOST = 5000, DEPTH_MOST = 24, SHOWN = 32 };

static const char changed_meanwhile[] = "changed while the phase ran";
static const char too_many[] = "more files than can be looked at";

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash != path ? xstrndup(path, (size_t)(slash - path)) : xstrdup("/");
}

static const char *shown(const struct project *project, const char *path)
{
    size_t length = strlen(project->directory);
    return text_starts(path, project->directory) && path[length] == '/' ? path + length + 1 : path;
}

static void digest_of(const char *path, const struct stat *info, char out[DIGEST_TEXT])
{
    struct digest digest;
    AUTO_TEXT content = TEXT_INIT;
    digest_begin(&digest);
    if (info->st_size <= CONTENT_MOST && file_read(path, CONTENT_MOST, &content, NULL) == 0) {
        digest_add(&digest, text_string(&content), content.length);
    } else {
        const int64_t facts[] = {info->st_size, info->st_mtim.tv_sec, info->st_mtim.tv_nsec};
        digest_add(&digest, facts, sizeof facts);
    }
    digest_end(&digest, out);
    out[SHOWN] = '\0';
}

static bool is_passed_over(const char *name)
{
    return name[0] == '.' || text_is(name, "__pycache__") || text_ends(name, ".pyc") ||
           text_ends(name, ".retry") || text_ends(name, "~");
}

static void add_tree(const struct project *project, const char *path, int depth, struct json *files)
{
    struct stat info;
    if (stat(path, &info) < 0)
        return;
    if (json_count(files) >= FILES_MOST || depth > DEPTH_MOST) {
        json_set_string(files, shown(project, path), too_many);
        return;
    }
    if (S_ISREG(info.st_mode)) {
        char digest[DIGEST_TEXT];
        digest_of(path, &info, digest);
        json_set_string(files, shown(project, path), digest);
    } else if (S_ISDIR(info.st_mode)) {
        AUTO_WORDS names = WORDS_INIT;
        (void)file_list(path, &names, NULL);
        for (size_t i = 0; i < names.count; i++) {
            AUTO_FREE char *inside = file_join(path, names.items[i]);
            if (!is_passed_over(names.items[i]))
                add_tree(project, inside, depth + 1, files);
        }
    }
}

static struct json *digests(const struct project *project, const struct json *roots)
{
    struct json *files = json_new_object();
    for (size_t i = 0; i < json_count(roots); i++) {
        const char *root = json_string(json_at(roots, i), NULL);
        AUTO_FREE char *path = root ? file_join(project->directory, root) : NULL;
        if (path)
            add_tree(project, path, 0, files);
    }
    return files;
}

/* A task's file stands for its whole role. Its folder is a role's when it is below `roles`, or looks like one and is not the playbook's. */
static char *role_of(const char *file, const char *playbook_folder)
{
    static const char *const parts[] = {"/tasks/", "/handlers/"};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        const char *at = strstr(file, parts[i]);
        if (!at)
            continue;
        AUTO_FREE char *folder = xstrndup(file, (size_t)(at - file));
        AUTO_FREE char *above = folder_of(folder);
        AUTO_FREE char *main_file = file_join(folder, "tasks/main.yml");
        if (text_ends(above, "/roles") || (file_exists(main_file) && !text_is(folder, playbook_folder)))
            return TAKE(folder);
    }
    return NULL;
}

/* A template that takes in others says no more than that they are near. */
static bool takes_in_others(const char *path)
{
    AUTO_TEXT content = TEXT_INIT;
    if (!text_ends(path, ".j2") || file_is_dir(path) || file_read(path, CONTENT_MOST, &content, NULL) < 0)
        return false;
    const char *bytes = text_string(&content);
    return strstr(bytes, "{%") &&
           (strstr(bytes, "include") || strstr(bytes, "import") || strstr(bytes, "extends"));
}

static void add_existing(struct words *roots, const char *folder, const char *name)
{
    AUTO_FREE char *path = file_join(folder, name);
    if (file_exists(path))
        words_add(roots, path);
}

static void add_plugins(struct words *roots, const char *folder)
{
    static const char *const names[] = {"library",           "module_utils",     "filter_plugins",
                                        "lookup_plugins",    "test_plugins",     "action_plugins",
                                        "vars_plugins",      "strategy_plugins", "callback_plugins",
                                        "inventory_plugins", "collections"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        add_existing(roots, folder, names[i]);
}

/* `wherever`: also where there are none, so that ones that come are seen. */
static void add_vars(struct words *roots, const char *folder, bool wherever)
{
    static const char *const names[] = {"group_vars", "host_vars"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *path = file_join(folder, names[i]);
        if (wherever || file_exists(path))
            words_add(roots, path);
    }
}

static void add_variable_file(const struct project *project, const char *word, struct words *roots)
{
    const char *file = strchr(word, '@');
    if (file && (file == word || text_starts(word, "-e") || text_starts(word, "--extra-vars")))
        add_existing(roots, project->directory, file + 1);
}

static void find_roots(const struct used_files_request *request, struct words *out)
{
    const struct project *project = request->project;
    const struct phase *phase = request->phase;
    AUTO_FREE char *playbook = file_join(project->directory, phase->playbook);
    AUTO_FREE char *playbook_folder = folder_of(playbook);
    AUTO_WORDS named = WORDS_INIT;
    words_add(&named, playbook);
    scan_files(project, phase->playbook, &named);
    for (size_t i = 0; request->ran && i < request->ran->count; i++) {
        const char *file = request->ran->items[i];
        AUTO_FREE char *role = *file == '/' ? role_of(file, playbook_folder) : NULL;
        if (*file == '/')
            words_add(&named, role ? role : file);
    }
    words_sort_unique(&named);
    words_add_list(out, words_argv(&named));
    for (size_t i = 0; i < named.count; i++) {
        AUTO_FREE char *folder = folder_of(named.items[i]);
        if (takes_in_others(named.items[i]))
            words_add(out, folder);
        add_vars(out, folder, false);
    }
    add_vars(out, playbook_folder, true);
    add_plugins(out, playbook_folder);
    add_plugins(out, project->directory);
    for (size_t i = 0; i < project->inventory.count; i++) {
        AUTO_FREE char *path = file_join(project->directory, project->inventory.items[i]);
        AUTO_FREE char *folder = file_is_dir(path) ? xstrdup(path) : folder_of(path);
        words_add(out, path);
        add_vars(out, folder, true);
    }
    AUTO_FREE char *own_config = file_join(project->directory, "ansible.cfg");
    words_add(out, own_config);
    if (request->config)
        words_add(out, request->config);
    if (request->transport) {
        AUTO_FREE char *template = xasprintf("inventory-templates/%s.yml", request->transport);
        add_existing(out, project->directory, template);
    }
    for (size_t i = 0; i < phase->args.count; i++)
        add_variable_file(project, phase->args.items[i], out);
    for (size_t i = 0; request->extra && i < request->extra->count; i++)
        add_variable_file(project, request->extra->items[i], out);
    words_sort_unique(out);
}

struct json *used_files_look(const struct used_files_request *request)
{
    AUTO_WORDS found = WORDS_INIT;
    find_roots(request, &found);
    struct json *look = json_new_object(), *roots = json_new_array();
    const char *within = NULL; /* sorted: what is below a root follows it */
    for (size_t i = 0; i < found.count; i++) {
        const char *path = found.items[i];
        if (within && text_starts(path, within) && path[strlen(within)] == '/')
            continue;
        within = path;
        json_append(roots, json_new_string(shown(request->project, path)));
    }
    json_set(look, "files", digests(request->project, roots));
    json_set(look, "roots", roots);
    return look;
}

void used_files_mark_changed(struct json *look, const struct json *earlier)
{
    struct json *files = json_get(look, "files"), *value;
    const char *path;
    for (void *at = NULL; json_each(json_get(earlier, "files"), &at, &path, &value);)
        if (!text_is(json_get_string(files, path, NULL), json_string(value, "")))
            json_set_string(files, path, changed_meanwhile);
}

void used_files_compare(const struct project *project, const struct json *look, struct words *out)
{
    const struct json *before = json_get(look, "files");
    AUTO_JSON *now = digests(project, json_get(look, "roots"));
    const char *path;
    struct json *value;
    for (void *at = NULL; json_each(before, &at, &path, &value);) {
        const char *was = json_string(value, ""), *is = json_get_string(now, path, NULL);
        if (text_is(was, changed_meanwhile) || text_is(was, too_many))
            words_addf(out, "%s: %s", path, was);
        else if (!is)
            words_addf(out, "%s is gone", path);
        else if (!text_is(was, is))
            words_addf(out, "%s changed", path);
    }
    for (void *at = NULL; json_each(now, &at, &path, &value);)
        if (!json_get(before, path))
            words_addf(out, "%s is new", path);
}
