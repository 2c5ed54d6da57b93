#include "playbook/used_files.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "playbook/scan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What is larger counts by size and time: nobody waits for the digest of an image. */
enum { CONTENT_MOST = 4 << 20, FILES_MOST = 5000, DEPTH_MOST = 24, SHOWN = 32 };
/* Of what is only guessed. */
enum { GUESS_CONTENT_MOST = 256 << 10, GUESSED_MOST = 2000, GUESS_WALK_MOST = 20000 };

static const char changed_meanwhile[] = "changed while the phase ran";
static const char too_many[] = "more files than can be looked at";

static void digest_of(const char *path, const struct stat *info, off_t most, char out[DIGEST_TEXT])
{
    struct digest digest;
    AUTO_TEXT content = TEXT_INIT;
    digest_begin(&digest);
    if (info->st_size <= most && file_read(path, (size_t)most, &content, NULL) == 0) {
        digest_add(&digest, text_string(&content), content.length);
    } else {
        const int64_t facts[] = {info->st_size, info->st_mtim.tv_sec, info->st_mtim.tv_nsec};
        digest_add(&digest, facts, sizeof facts);
    }
    digest_end(&digest, out);
    out[SHOWN] = '\0';
}

/* What is looked at while the phase runs already says nothing of what it read where it changed since. */
static void set_state(struct json *files, const char *name, const char *path, const struct stat *info,
                      off_t most, int64_t since)
{
    char digest[DIGEST_TEXT];
    if (since && info->st_ctim.tv_sec * NS_PER_S + info->st_ctim.tv_nsec >= since) {
        json_set_string(files, name, changed_meanwhile);
        return;
    }
    digest_of(path, info, most, digest);
    json_set_string(files, name, digest);
}

static bool is_passed_over(const char *name)
{
    return name[0] == '.' || text_is(name, "__pycache__") || text_ends(name, ".pyc") ||
           text_ends(name, ".retry") || text_ends(name, "~");
}

static void add_tree(const struct project *project, const char *path, int depth, int64_t since,
                     struct json *files)
{
    struct stat info;
    if (stat(path, &info) < 0)
        return;
    if (json_count(files) >= FILES_MOST || depth > DEPTH_MOST) {
        json_set_string(files, file_below(path, project->directory), too_many);
        return;
    }
    if (S_ISREG(info.st_mode)) {
        set_state(files, file_below(path, project->directory), path, &info, CONTENT_MOST, since);
    } else if (S_ISDIR(info.st_mode)) {
        AUTO_WORDS names = WORDS_INIT;
        (void)file_list(path, &names, NULL);
        for (size_t i = 0; i < names.count; i++) {
            AUTO_FREE char *inside = file_join(path, names.items[i]);
            if (!is_passed_over(names.items[i]))
                add_tree(project, inside, depth + 1, since, files);
        }
    }
}

static struct json *digests(const struct project *project, const struct json *roots, int64_t since)
{
    struct json *files = json_new_object();
    for (size_t i = 0; i < json_count(roots); i++) {
        const char *root = json_string(json_at(roots, i), NULL);
        AUTO_FREE char *path = root ? file_join(project->directory, root) : NULL;
        if (path)
            add_tree(project, path, 0, since, files);
    }
    return files;
}

/* A task's file stands for its whole role. Its folder is a role's when it is below `roles`, or looks like one
 * and is not the playbook's. */
static char *role_of(const char *file, const char *playbook_folder)
{
    static const char *const parts[] = {"/tasks/", "/handlers/"};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        const char *at = strstr(file, parts[i]);
        if (!at)
            continue;
        AUTO_FREE char *folder = xstrndup(file, (size_t)(at - file));
        AUTO_FREE char *above = file_parent(folder);
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

static void find_roots(const struct used_files_request *request, const struct reads *reads, struct words *out)
{
    const struct project *project = request->project;
    const struct phase *phase = request->phase;
    AUTO_FREE char *playbook = file_join(project->directory, phase->playbook);
    AUTO_FREE char *playbook_folder = file_parent(playbook);
    AUTO_WORDS named = WORDS_INIT;
    words_add(&named, playbook);
    words_add_list(&named, words_argv(&reads->files));
    for (size_t i = 0; request->ran && i < request->ran->count; i++) {
        const char *file = request->ran->items[i];
        AUTO_FREE char *role = *file == '/' ? role_of(file, playbook_folder) : NULL;
        if (*file == '/')
            words_add(&named, role ? role : file);
    }
    words_sort_unique(&named);
    words_add_list(out, words_argv(&named));
    for (size_t i = 0; i < named.count; i++) {
        AUTO_FREE char *folder = file_parent(named.items[i]);
        if (takes_in_others(named.items[i]))
            words_add(out, folder);
        add_vars(out, folder, false);
    }
    add_vars(out, playbook_folder, true);
    add_plugins(out, playbook_folder);
    add_plugins(out, project->directory);
    for (size_t i = 0; i < project->inventory.count; i++) {
        AUTO_FREE char *path = file_join(project->directory, project->inventory.items[i]);
        AUTO_FREE char *folder = file_folder(path);
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

/* ------------------------------------------------------------ guesses */

struct guesses {
    const struct project *project;
    const struct reads *reads;  /* of the phase */
    const struct reads *others; /* of the other phases of its recipe */
    const struct json *certain; /* files that count anyway */
    const char *ending;
    int64_t since;
    size_t walked;
    bool whole;
    struct json *found;
};

static bool is_below_one(const char *path, const struct words *folders)
{
    for (size_t i = 0; i < folders->count; i++)
        if (file_is_within(path, folders->items[i]))
            return true;
    return false;
}

/* What no task takes for its input, though it lies in a project. */
static bool is_aside(const struct project *project, const char *path, const char *name)
{
    static const char *const endings[] = {".md",   ".rst", ".log", ".tmp", ".bak",
                                          ".orig", ".rej", ".swp", NULL};
    static const char *const names[] = {"node_modules",        "LICENSE",     "Makefile", "triphase.yml",
                                        "inventory-templates", "ansible.cfg", NULL};
    for (size_t i = 0; endings[i]; i++)
        if (text_ends(name, endings[i]))
            return true;
    if (text_is_one_of(name, names))
        return true;
    for (size_t i = 0; i < project->recipe_count; i++) {
        AUTO_FREE char *recipe = file_join(project->directory, project->recipes[i].path);
        if (text_is(path, recipe))
            return true;
    }
    AUTO_FREE char *environment = file_join(path, "pyvenv.cfg");
    return file_exists(environment);
}

static void add_guessed(struct guesses *guesses, const char *path, int depth)
{
    struct stat info;
    if (!guesses->whole || stat(path, &info) < 0)
        return;
    if (++guesses->walked > GUESS_WALK_MOST || depth > DEPTH_MOST ||
        json_count(guesses->found) >= GUESSED_MOST) {
        guesses->whole = false;
    } else if (S_ISREG(info.st_mode)) {
        const char *name = file_below(path, guesses->project->directory);
        if (!text_ends(path, guesses->ending) || json_get(guesses->certain, name))
            return;
        set_state(guesses->found, name, path, &info, GUESS_CONTENT_MOST, guesses->since);
    } else if (S_ISDIR(info.st_mode)) {
        AUTO_WORDS names = WORDS_INIT;
        (void)file_list(path, &names, NULL);
        for (size_t i = 0; i < names.count; i++) {
            AUTO_FREE char *inside = file_join(path, names.items[i]);
            if (!is_passed_over(names.items[i]) && !is_aside(guesses->project, inside, names.items[i]) &&
                !is_below_one(inside, &guesses->others->code) &&
                !is_below_one(inside, &guesses->others->written) &&
                !is_below_one(inside, &guesses->reads->written))
                add_guessed(guesses, inside, depth + 1);
        }
    }
}

static void add_untold(struct json *look, const char *text)
{
    if (!json_get(look, "untold"))
        json_set(look, "untold", json_new_array());
    json_append(json_get(look, "untold"), json_new_string(text));
}

static void add_guesses(const struct used_files_request *request, const struct reads *reads,
                        const struct reads *others, struct json *look)
{
    const struct project *project = request->project;
    struct json *found = json_new_object();
    for (size_t i = 0; i < reads->guess_count; i++) {
        const struct read_guess *guess = &reads->guesses[i];
        struct guesses guesses = {.project = project,
                                  .reads = reads,
                                  .others = others,
                                  .certain = json_get(look, "files"),
                                  .ending = guess->ending,
                                  .since = request->since_ns,
                                  .whole = true,
                                  .found = found};
        add_guessed(&guesses, guess->folder, 0);
        if (!guesses.whole) {
            AUTO_FREE char *text =
                xasprintf("%s holds more files than can be looked at, and a template decides"
                          " which of them is used",
                          file_below(guess->folder, project->directory));
            add_untold(look, text);
        }
    }
    json_set(look, "guessed", found);
}

static void add_others(const struct project *project, const struct phase *phases, size_t count,
                       const struct phase *phase, struct reads *out)
{
    bool among = false;
    for (size_t i = 0; i < count; i++)
        among = among || &phases[i] == phase;
    for (size_t i = 0; among && i < count; i++)
        if (&phases[i] != phase)
            scan_reads(project, &phases[i], out);
}

/* What the phase goes through itself is none of the others'. */
static void drop_own(const struct words *own, struct words *others)
{
    AUTO_WORDS kept = WORDS_INIT;
    for (size_t i = 0; i < others->count; i++)
        if (!words_have(own, others->items[i]))
            words_add(&kept, others->items[i]);
    words_clear(others);
    *others = kept;
    kept = (struct words)WORDS_INIT;
}

static struct json *paths_of(const struct project *project, struct words *words)
{
    struct json *array = json_new_array();
    words_sort_unique(words);
    for (size_t i = 0; i < words->count; i++)
        json_append(array, json_new_string(file_below(words->items[i], project->directory)));
    return array;
}

struct json *used_files_look(const struct used_files_request *request)
{
    const struct project *project = request->project;
    AUTO_READS reads = {0}, others = {0};
    AUTO_WORDS found = WORDS_INIT;
    scan_reads(project, request->phase, &reads);
    for (size_t i = 0; i < project->recipe_count; i++) {
        const struct recipe *recipe = &project->recipes[i];
        add_others(project, recipe->phases, recipe->phase_count, request->phase, &others);
        add_others(project, recipe->teardown, recipe->teardown_count, request->phase, &others);
    }
    drop_own(&reads.code, &others.code);
    find_roots(request, &reads, &found);
    struct json *look = json_new_object(), *roots = json_new_array();
    const char *within = NULL; /* sorted: what is below a root follows it */
    for (size_t i = 0; i < found.count; i++) {
        const char *path = found.items[i];
        if (within && file_is_within(path, within))
            continue;
        within = path;
        json_append(roots, json_new_string(file_below(path, project->directory)));
    }
    json_set(look, "files", digests(project, roots, request->since_ns));
    json_set(look, "roots", roots);
    json_set(look, "written", paths_of(project, &reads.written));
    json_set(look, "written_by_others", paths_of(project, &others.written));
    add_guesses(request, &reads, &others, look);
    return look;
}

static bool is_written(const struct json *paths, const char *path)
{
    for (size_t i = 0; i < json_count(paths); i++)
        if (file_is_within(path, json_string(json_at(paths, i), "")))
            return true;
    return false;
}

/* Of guesses what came or changed while the phase ran is most likely its own work. */
static void settle_guesses(struct json *look, const struct json *earlier)
{
    struct json *kept = json_new_object(), *value;
    const char *path;
    for (void *at = NULL; json_each(json_get(look, "guessed"), &at, &path, &value);) {
        const char *was = json_get_string(json_get(earlier, "guessed"), path, NULL);
        if (text_is(was, json_string(value, ""))) {
            json_set_string(kept, path, was);
        } else if (was) {
            AUTO_FREE char *text =
                xasprintf("%s %s, and a template decides whether it read it", path, changed_meanwhile);
            add_untold(look, text);
        }
    }
    json_set(look, "guessed", kept);
}

void used_files_mark_changed(struct json *look, const struct json *earlier)
{
    struct json *files = json_get(look, "files"), *value;
    const char *path;
    for (void *at = NULL; json_each(json_get(earlier, "files"), &at, &path, &value);)
        if (!text_is(json_get_string(files, path, NULL), json_string(value, "")) &&
            !is_written(json_get(look, "written"), path))
            json_set_string(files, path, changed_meanwhile);
    settle_guesses(look, earlier);
}

/* Named one by one, and not only because it lies in a folder that counts as a whole (a role, group_vars). */
static bool is_named(const struct json *roots, const char *path)
{
    for (size_t i = 0; i < json_count(roots); i++)
        if (text_is(json_string(json_at(roots, i), NULL), path))
            return true;
    return false;
}

static void compare_guesses(const struct project *project, const struct json *look, struct words *out)
{
    const char *path;
    struct json *value;
    for (void *at = NULL; json_each(json_get(look, "guessed"), &at, &path, &value);) {
        AUTO_FREE char *whole = file_join(project->directory, path);
        char digest[DIGEST_TEXT];
        struct stat info;
        if (stat(whole, &info) < 0) {
            words_addf(out, "%s is gone", path);
            continue;
        }
        digest_of(whole, &info, GUESS_CONTENT_MOST, digest);
        if (!text_is(json_string(value, ""), digest))
            words_addf(out, "%s changed", path);
    }
}

void used_files_compare(const struct project *project, const struct json *look, struct words *out,
                        struct words *may, struct words *untold)
{
    const struct json *before = json_get(look, "files"), *others = json_get(look, "written_by_others");
    AUTO_JSON *now = digests(project, json_get(look, "roots"), 0);
    const char *path;
    struct json *value;
    for (void *at = NULL; json_each(before, &at, &path, &value);) {
        const char *was = json_string(value, ""), *is = json_get_string(now, path, NULL);
        struct words *to = is_written(others, path)                  ? untold
                           : is_named(json_get(look, "roots"), path) ? out
                                                                     : may;
        if (text_is(was, changed_meanwhile) || text_is(was, too_many))
            words_addf(to, "%s: %s", path, was);
        else if (!is)
            words_addf(to, "%s is gone", path);
        else if (!text_is(was, is))
            words_addf(to, "%s changed%s", path, to == untold ? ", which another phase writes" : "");
    }
    for (void *at = NULL; json_each(now, &at, &path, &value);)
        if (!json_get(before, path) && !is_written(others, path) &&
            !is_written(json_get(look, "written"), path))
            words_addf(may, "%s is new", path);
    compare_guesses(project, look, may);
    for (size_t i = 0; i < json_count(json_get(look, "untold")); i++)
        words_add(untold, json_string(json_at(json_get(look, "untold"), i), ""));
}
