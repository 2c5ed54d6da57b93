#include "ansible/memory.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/invoker.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 20000, DEPTH_MAX = 24, KEPT = 64, RECORD_MAX = 1 << 20 };

/* Changes when what a plan looks at does. */
static const char format[] = "plan 2";

struct walk {
    struct digest *digest;
    size_t files;
    bool whole;
};

static void add_stat(struct walk *walk, const char *path, const struct stat *info)
{
    const int64_t facts[] = {info->st_size,         (int64_t)info->st_ino, info->st_mtim.tv_sec,
                             info->st_mtim.tv_nsec, info->st_ctim.tv_sec,  info->st_ctim.tv_nsec,
                             info->st_mode};
    digest_add_text(walk->digest, path);
    digest_add(walk->digest, facts, sizeof(facts));
    if (++walk->files > FILES_MAX)
        walk->whole = false;
}

static bool is_passed_over(const char *name)
{
    return name[0] == '.' || text_is(name, "__pycache__") || text_is(name, "node_modules") ||
           text_ends(name, ".retry") || text_ends(name, ".pyc");
}

static void add_tree(struct walk *walk, const char *path, int depth)
{
    struct stat info;
    if (!walk->whole || stat(path, &info) < 0) {
        digest_add_text(walk->digest, path);
        return;
    }
    if (!S_ISDIR(info.st_mode)) {
        add_stat(walk, path, &info);
        return;
    }
    AUTO_WORDS names = WORDS_INIT;
    if (depth >= DEPTH_MAX || file_list(path, &names, NULL) < 0) {
        walk->whole = false;
        return;
    }
    digest_add_text(walk->digest, path);
    for (size_t i = 0; i < names.count; i++) {
        if (is_passed_over(names.items[i]))
            continue;
        AUTO_FREE char *inside = file_join(path, names.items[i]);
        add_tree(walk, inside, depth + 1);
    }
}

static void add_beside(struct walk *walk, const char *folder)
{
    static const char *const names[] = {"group_vars",       "host_vars",        "roles",
                                        "collections",      "library",          "module_utils",
                                        "filter_plugins",   "lookup_plugins",   "test_plugins",
                                        "action_plugins",   "vars_plugins",     "inventory_plugins",
                                        "strategy_plugins", "callback_plugins", "connection_plugins",
                                        "become_plugins",   "cache_plugins"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *path = file_join(folder, names[i]);
        add_tree(walk, path, 0);
    }
}

/* An inventory program answers what it likes each time. */
static bool has_program(const char *path)
{
    if (!file_is_dir(path))
        return file_is_program(path);
    AUTO_WORDS names = WORDS_INIT;
    (void)file_list(path, &names, NULL);
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *inside = file_join(path, names.items[i]);
        if (file_is_program(inside))
            return true;
    }
    return false;
}

static void add_project(struct walk *walk, const struct ansible_memory_inputs *inputs)
{
    const struct project *project = inputs->project;
    add_beside(walk, project->directory);
    for (size_t i = 0; i < project->inventory.count; i++) {
        AUTO_FREE char *path = file_join(project->directory, project->inventory.items[i]);
        AUTO_FREE char *folder = file_folder(path);
        walk->whole = walk->whole && !has_program(path);
        add_tree(walk, path, 0);
        add_beside(walk, folder);
    }
    for (size_t i = 0; i < inputs->playbooks->count; i++) {
        AUTO_FREE char *path = file_join(project->directory, inputs->playbooks->items[i]);
        AUTO_FREE char *folder = file_folder(path);
        digest_add_text(walk->digest, inputs->playbooks->items[i]);
        /* The whole folder: what a playbook includes lies beside or below it. A playbook at the project's
         * top counts alone, with what stands beside it. */
        if (text_is(folder, project->directory))
            add_tree(walk, path, 0);
        else
            add_tree(walk, folder, 0);
    }
    AUTO_FREE char *recipe = file_join(project->directory, inputs->recipe->path);
    add_tree(walk, recipe, 0);
    AUTO_FREE char *settings = file_join(project->directory, "triphase.yml");
    add_tree(walk, settings, 0);
}

static void add_phases(struct digest *digest, const struct phase *phases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *vars = phases[i].vars ? node_flow(phases[i].vars) : NULL;
        digest_add_text(digest, phases[i].name);
        digest_add_text(digest, phases[i].playbook);
        digest_add_text(digest, vars);
        digest_add_text(digest, phases[i].beyond_allowed ? "beyond" : "");
        for (size_t a = 0; a < phases[i].args.count; a++)
            digest_add_text(digest, phases[i].args.items[a]);
    }
}

bool ansible_memory_digest(const struct ansible_memory_inputs *inputs, char out[DIGEST_TEXT])
{
    struct digest digest;
    digest_begin(&digest);
    struct walk walk = {.digest = &digest, .whole = true};
    digest_add_text(&digest, format);
    digest_add_text(&digest, inputs->project->directory);
    digest_add_text(&digest, inputs->target->name);
    digest_add_text(&digest, inputs->version);
    digest_add_text(&digest, inputs->inventory);
    add_tree(&walk, inputs->project->ansible, 0);
    if (inputs->settings->config)
        add_tree(&walk, inputs->settings->config, 0);
    if (inputs->settings->of[SETTING_VAULT_PASSWORD_FILE].value)
        add_tree(&walk, inputs->settings->of[SETTING_VAULT_PASSWORD_FILE].value, 0);
    for (const char *const *entry = inputs->environment; *entry; entry++)
        if (text_starts(*entry, "ANSIBLE_") || text_starts(*entry, "HOME="))
            digest_add_text(&digest, *entry);
    for (size_t i = 0; inputs->arguments && i < inputs->arguments->words.count; i++)
        digest_add_text(&digest, inputs->arguments->words.items[i]);
    for (size_t i = 0; i < inputs->target->secret_count; i++)
        digest_add_text(&digest, inputs->target->secrets[i].name);
    add_phases(&digest, inputs->recipe->phases, inputs->recipe->phase_count);
    digest_add_text(&digest, "asked for");
    for (size_t i = 0; i < inputs->phase_count; i++)
        digest_add_text(&digest, inputs->phases[i]->name);
    digest_add_text(&digest, "peers");
    for (size_t i = 0; i < inputs->target->peers.count; i++)
        digest_add_text(&digest, inputs->target->peers.items[i]);
    digest_add_text(&digest, "teardown");
    add_phases(&digest, inputs->recipe->teardown, inputs->recipe->teardown_count);
    add_project(&walk, inputs);
    const char *home = environment_value(inputs->environment, "HOME");
    if (home) {
        /* Roles and collections of the user's: their names and times tell what was installed or removed. */
        AUTO_FREE char *roles = file_join(home, ".ansible/roles");
        AUTO_FREE char *collections = file_join(home, ".ansible/collections/ansible_collections");
        struct stat info;
        if (stat(roles, &info) == 0)
            add_stat(&walk, roles, &info);
        AUTO_WORDS names = WORDS_INIT;
        (void)file_list(collections, &names, NULL);
        for (size_t i = 0; i < names.count; i++) {
            AUTO_FREE char *path = file_join(collections, names.items[i]);
            if (stat(path, &info) == 0)
                add_stat(&walk, path, &info);
        }
    }
    digest_end(&digest, out);
    return walk.whole;
}

/* Drops all records once there are many: which are old cannot matter, what is dropped is asked again.
 * Whatever else lies there is somebody's. */
static void drop_records(const char *folder)
{
    AUTO_WORDS names = WORDS_INIT;
    AUTO_WORDS records = WORDS_INIT;
    (void)file_list(folder, &names, NULL);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i];
        /* Also one that was being written by somebody who was killed. */
        if (strspn(name, "0123456789abcdef") == DIGEST_TEXT - 1 &&
            (!name[DIGEST_TEXT - 1] || text_starts(name + DIGEST_TEXT - 1, ".new.")))
            words_add(&records, name);
    }
    for (size_t i = 0; records.count > KEPT && i < records.count; i++) {
        AUTO_FREE char *old = file_join(folder, records.items[i]);
        (void)unlink(old);
    }
}

static char *record_path(const char *state, const char *digest)
{
    return xasprintf("%s/plans/%s", state, digest);
}

struct json *ansible_memory_recall(const char *state, const char *digest)
{
    AUTO_FREE char *path = record_path(state, digest);
    AUTO_TEXT content = TEXT_INIT;
    if (!file_exists(path) || file_read(path, RECORD_MAX, &content, NULL) < 0)
        return NULL;
    AUTO_JSON *warnings = json_parse(text_string(&content), content.length, NULL);
    return json_is_array(warnings) ? TAKE(warnings) : NULL;
}

void ansible_memory_keep(const char *state, const char *digest, const struct json *warnings)
{
    AUTO_FREE char *folder = file_join(state, "plans");
    AUTO_FREE char *path = record_path(state, digest);
    AUTO_FREE char *text = json_compact(warnings);
    if (file_make_dirs(folder, 0700, NULL) < 0)
        return;
    drop_records(folder);
    if (file_replace(path, text, strlen(text), 0600, NULL) == 0) {
        AUTO_INVOKER invoker = {.home = NULL};
        invoker_find(NULL, &invoker);
        (void)invoker_own(&invoker, folder);
        (void)invoker_own(&invoker, path);
    }
}
