#include "bundle/project.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "playbook/used_files.h"
#include "process/child.h"
#include "process/program.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { DIFF_MOST = 16 << 20 };

#define GIT_BOUND (20 * NS_PER_S)

/* ---- recipe and playbooks ---- */

/* Plays, tasks and templates: what says what was done. What holds values (variables, inventories, files for
 * the host) is left out, here and in what differs. */
static const char *const told_ends[] = {".yml", ".yaml", ".j2"};
static const char *const value_folders[] = {"group_vars", "host_vars", "vars",
                                            "defaults",   "inventory", "files"};

static bool has_folder(const char *path, const char *folder)
{
    AUTO_FREE char *within = xasprintf("/%s", path), *part = xasprintf("/%s/", folder);
    return strstr(within, part) != NULL;
}

/* An inventory of the project as a path below its folder; NULL: it is elsewhere, or no path. */
static const char *inventory_below(const struct project *project, size_t index)
{
    const char *path = file_below(project->inventory.items[index], project->directory);
    while (text_starts(path, "./"))
        path += 2;
    return !*path || *path == '/' || strstr(path, "..") || strchr(path, ',') ? NULL : path;
}

static bool is_inventory(const struct project *project, const char *path)
{
    bool found = false;
    for (size_t i = 0; !found && i < project->inventory.count; i++) {
        const char *inventory = inventory_below(project, i);
        found = inventory && file_is_within(path, inventory);
    }
    return found;
}

static bool belongs(const struct project *project, const char *path)
{
    bool is_text = false;
    for (size_t i = 0; i < COUNT_OF(told_ends); i++)
        is_text |= text_ends(path, told_ends[i]);
    for (size_t i = 0; i < COUNT_OF(value_folders); i++)
        if (has_folder(path, value_folders[i]))
            return false;
    return is_text && *path != '/' && !strstr(path, "..") && !is_inventory(project, path);
}

static void add_paths(const struct project *project, const struct phase *phases, size_t count,
                      struct words *out)
{
    for (size_t i = 0; i < count; i++) {
        struct used_files_request request = {.project = project, .phase = &phases[i]};
        AUTO_JSON *look = used_files_look(&request);
        const char *path;
        struct json *digest;
        for (void *at = NULL; json_each(json_get(look, "files"), &at, &path, &digest);)
            if (belongs(project, path))
                words_add(out, path);
    }
}

static int add_file(struct bundle *bundle, int folder, const char *path, struct error *err)
{
    AUTO_FREE char *name = xasprintf("project/%s", path);
    for (char *c = name; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/", *c))
            *c = '_';
    return bundle_has(bundle, name) ? 0 : bundle_add_file(bundle, folder, path, name, err);
}

static int add_playbooks(struct bundle *bundle, const struct bundle_subject *subject, struct error *err)
{
    const struct project *project = subject->project;
    const struct recipe *recipe = project_recipe(project, subject->account->run->recipe);
    if (!recipe) {
        bundle_missing(bundle, "project", "the project has no recipe '%s' any more",
                       subject->account->run->recipe ? subject->account->run->recipe : "");
        return 0;
    }
    AUTO_CLOSE int folder = open(project->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_WORDS paths = WORDS_INIT;
    words_addf(&paths, "phases/%s.yml", recipe->name);
    add_paths(project, recipe->phases, recipe->phase_count, &paths);
    add_paths(project, recipe->teardown, recipe->teardown_count, &paths);
    words_sort_unique(&paths);
    for (size_t i = 0; i < paths.count; i++)
        if (add_file(bundle, folder, paths.items[i], err) < 0)
            return -1;
    return 0;
}

/* ---- git ---- */

struct git {
    const char *directory;
    struct words environment;
};

/* No hook, monitor, diff or signature program that the repository's configuration names is started. */
static int ask_git(const struct git *git, struct text *out, struct error *err, const char *const *words)
{
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, "git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-pager",
                  NULL);
    words_add_list(&argv, words);
    struct program program = {.argv = words_argv(&argv),
                              .environment = words_argv(&git->environment),
                              .directory = git->directory,
                              .bound_ns = GIT_BOUND,
                              .output_limit = DIFF_MOST};
    return program_do_all(&program, out, err);
}

/* Only of what the bundle would hold itself: a password file, an .env or a variable that was
 * changed differs as well. */
static void add_difference(const struct project *project, struct words *argv)
{
    words_add_all(argv, "diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--",
                  NULL);
    for (size_t i = 0; i < COUNT_OF(told_ends); i++)
        words_addf(argv, ":(glob)**/*%s", told_ends[i]);
    for (size_t i = 0; i < COUNT_OF(value_folders); i++)
        words_addf(argv, ":(exclude,glob)**/%s/**", value_folders[i]);
    for (size_t i = 0; i < project->inventory.count; i++)
        if (inventory_below(project, i))
            words_addf(argv, ":(exclude,literal)%s", inventory_below(project, i));
}

static int add_git(struct bundle *bundle, const struct bundle_subject *subject, struct error *err)
{
    static const char *const commit[] = {"log", "-1", "--no-show-signature", "--format=commit %H%ndate %cI%n",
                                         NULL},
                             *const state[] = {"status", "--porcelain=v1", "--branch", "--", ".", NULL};
    struct git git = {.directory = subject->project->directory, .environment = WORDS_INIT};
    AUTO_TEXT about = TEXT_INIT, diff = TEXT_INIT;
    AUTO_ERROR why = ERROR_INIT;
    AUTO_WORDS difference = WORDS_INIT;
    add_difference(subject->project, &difference);
    words_add_all(&git.environment, "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C",
                  NULL); /* of a name the first counts */
    child_inherited(&git.environment);
    bool known = ask_git(&git, &about, &why, commit) == 0 && ask_git(&git, &about, &why, state) == 0 &&
                 ask_git(&git, &diff, &why, words_argv(&difference)) == 0;
    words_clear(&git.environment);
    if (!known) {
        bool none = strstr(error_text(&why), "not a git repository");
        bundle_missing(bundle, "project/git.txt", "%s",
                       none ? "the project is in no git repository" : error_text(&why));
        return 0;
    }
    if (diff.length >= DIFF_MOST)
        bundle_missing(bundle, "project/git.diff", "what is behind its first 16 MiB");
    return bundle_add(bundle, "project/git.txt", &about, NULL, err) < 0 ||
                   (diff.length && bundle_add(bundle, "project/git.diff", &diff, NULL, err) < 0)
               ? -1
               : 0;
}

int bundle_project_add(struct bundle *bundle, const struct bundle_subject *subject, struct error *err)
{
    if (!subject->project) {
        bundle_missing(bundle, "project", "%s", subject->project_problem);
        return 0;
    }
    return add_playbooks(bundle, subject, err) < 0 ? -1 : add_git(bundle, subject, err);
}
