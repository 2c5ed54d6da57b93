/* triphase init [--provider NAME] [DIR]: a project from what is built into the program. Nothing that is
 * there is touched: either everything is laid down, or nothing. */
#include "base/embedded.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/given_path.h"
#include "command/options.h"
#include "config/fault.h"
#include "config/invoker.h"
#include "config/provider_facts.h"
#include "config/text_rules.h"
#include "view/help.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char ignored_line[] = ".triphase/", project_file[] = "triphase.yml";

struct laying {
    const char *provider;
    const char *directory; /* absolute or as given */
    struct invoker invoker;
    struct words files, folders; /* made so far */
};

/* What is laid down under another name than it has among those that are built in, for one provider. The
 * target of `sandbox` stands in the program's own triphase.yml. */
static const struct {
    const char *provider, *from, *to;
} renamed[] = {
    {"sandbox", project_file, project_file},
    {"static", "projects/static.yml", project_file},
    {"command", "projects/command.yml", project_file},
    {"command", "examples/providers/existing-host/host.sh", "providers/host.sh"},
    {"hetzner", "projects/hetzner.yml", project_file},
};

/* Where it goes in a project; NULL: what is built in besides (callback, launcher) is the program's own and
 * stays in it. */
static const char *path_in_project(const struct embedded_file *file, const char *provider)
{
    static const char *const folders[] = {"phases/", "playbooks/", "inventory-templates/"};
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        if (text_starts(file->path, folders[i]))
            return file->path;
    for (size_t i = 0; i < COUNT_OF(renamed); i++)
        if (text_is(renamed[i].provider, provider) && text_is(renamed[i].from, file->path))
            return renamed[i].to;
    return NULL;
}

/* The folders above and including `path` that are not there yet; each is remembered and given to the
 * invoking user. */
static int make_folders(struct laying *laying, const char *path, struct error *err)
{
    AUTO_FREE char *part = xstrdup(path);
    for (char *slash = part + 1;; slash++) {
        if (*slash && *slash != '/')
            continue;
        char kept = *slash;
        *slash = '\0';
        if (mkdir(part, 0755) == 0) {
            words_add(&laying->folders, part);
            if (invoker_own(&laying->invoker, part) < 0)
                return error_system(err, errno, "cannot give the folder %s to its user", part);
        } else if (errno != EEXIST && !(errno == EROFS && file_is_dir(part))) {
            return error_system(err, errno, "cannot make the folder %s", part);
        }
        if (!kept)
            break;
        *slash = kept;
    }
    return file_is_dir(path)
               ? 0
               : error_set(err, ERROR_SYSTEM,
                           "cannot make the folder %s: something else stands there; move it away", path);
}

static int write_file(struct laying *laying, const char *path, const void *bytes, size_t size, mode_t mode,
                      struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return error_system(err, errno, "cannot write %s", path);
    words_add(&laying->files, path);
    if (file_write_all(fd, bytes, size) < 0 ||
        (laying->invoker.behind_sudo && fchown(fd, laying->invoker.uid, laying->invoker.gid) < 0))
        return error_system(err, errno, "cannot write %s", path);
    return 0;
}

static void take_back(struct laying *laying)
{
    for (size_t i = laying->files.count; i-- > 0;)
        unlink(laying->files.items[i]);
    for (size_t i = laying->folders.count; i-- > 0;)
        rmdir(laying->folders.items[i]);
}

/* triphase.yml with the project called like its folder. malloc'ed. */
static char *named_project(const struct embedded_file *file, const char *name)
{
    AUTO_TEXT out = TEXT_INIT;
    const char *at = (const char *)file->bytes;
    while (*at) {
        size_t length = strcspn(at, "\n") + (strchr(at, '\n') != NULL);
        if (text_starts(at, "project:"))
            text_addf(&out, "project: %s\n", name);
        else
            text_add_bytes(&out, at, length);
        at += length;
    }
    return text_take(&out);
}

static char *project_name(const char *directory)
{
    AUTO_FREE char *real = realpath(directory, NULL);
    const char *slash = real ? strrchr(real, '/') : NULL;
    return xstrdup(slash && value_is_name(slash + 1) ? slash + 1 : "demo");
}

/* Adds the line to a .gitignore that is there, and makes one that is not. */
static int ignore_state(struct laying *laying, struct error *err)
{
    AUTO_FREE char *path = file_join(laying->directory, ".gitignore");
    AUTO_FREE char *line = xasprintf("%s\n", ignored_line);
    AUTO_TEXT bytes = TEXT_INIT;
    if (!file_exists(path))
        return write_file(laying, path, line, strlen(line), 0644, err);
    if (file_read(path, 1 << 20, &bytes, err) < 0)
        return -1;
    for (const char *at = text_string(&bytes); *at;) {
        size_t length = strcspn(at, "\n");
        if (length >= sizeof ignored_line - 2 && strncmp(at, ignored_line, sizeof ignored_line - 2) == 0 &&
            length <= sizeof ignored_line - 1)
            return 0;
        at += length + (at[length] == '\n');
    }
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    bool open_line = bytes.length && bytes.bytes[bytes.length - 1] != '\n';
    if (fd < 0 || (open_line && file_write_all(fd, "\n", 1) < 0) ||
        file_write_all(fd, line, strlen(line)) < 0)
        return error_system(err, errno, "cannot add %s to %s", ignored_line, path);
    return 0;
}

/* The next file of the project; NULL behind the last. */
static const struct embedded_file *next_file(const char *provider, size_t *at, const char **path)
{
    while (*at < embedded_file_count) {
        const struct embedded_file *file = &embedded_files[(*at)++];
        if ((*path = path_in_project(file, provider)))
            return file;
    }
    return NULL;
}

static int lay_down(struct laying *laying, struct error *err)
{
    if (make_folders(laying, laying->directory, err) < 0)
        return -1;
    AUTO_FREE char *name = project_name(laying->directory);
    const struct embedded_file *file;
    const char *own;
    for (size_t at = 0; (file = next_file(laying->provider, &at, &own));) {
        AUTO_FREE char *path = file_join(laying->directory, own);
        AUTO_FREE char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
        AUTO_FREE char *named = text_is(own, project_file) ? named_project(file, name) : NULL;
        if (make_folders(laying, folder, err) < 0 ||
            write_file(laying, path, named ? named : (const char *)file->bytes,
                       named ? strlen(named) : file->size, file->mode, err) < 0)
            return -1;
    }
    return ignore_state(laying, err);
}

/* What would be overwritten, a name a line and not many of them. malloc'ed; "" when nothing. */
static char *in_the_way(const char *directory, const char *provider)
{
    enum { MOST = 5 };
    AUTO_TEXT out = TEXT_INIT;
    size_t count = 0;
    const struct embedded_file *file;
    const char *own;
    for (size_t at = 0; (file = next_file(provider, &at, &own));) {
        AUTO_FREE char *path = file_join(directory, own);
        if (file_exists(path) && ++count <= MOST)
            text_addf(&out, "\n  %s", own);
    }
    if (count > MOST)
        text_addf(&out, "\n  and %zu more", count - MOST);
    return text_take(&out);
}

/* What nobody but the user knows. */
static const struct {
    const char *provider, *words;
} firsts[] = {
    {"static", "put your host's address into triphase.yml"},
    {"command", "put your host's address into triphase.yml"},
    {"hetzner", "export HCLOUD_TOKEN=…   the token of your project at the cloud"},
};

static void say_what_next(const struct laying *laying, bool here)
{
    AUTO_TEXT word = TEXT_INIT;
    text_add_shell_word(&word, laying->directory);
    help_note("laid down %zu files in %s", laying->files.count, laying->directory);
    help_note("next:");
    if (!here)
        help_note("  cd %s", text_string(&word));
    for (size_t i = 0; i < COUNT_OF(firsts); i++)
        if (text_is(firsts[i].provider, laying->provider))
            help_note("  %s", firsts[i].words);
    help_note("  triphase doctor         what this machine has and lacks");
    help_note("  triphase plan           check everything before anything is made");
    help_note("  triphase create         make the host and run its phases");
    help_note("  triphase report         where the time went");
}

static const struct option options[] = {{"provider", required_argument, NULL, 'p'}, {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    struct laying laying = {.provider = "sandbox"};
    optind = 0;
    for (int option; (option = options_next(context->command, argc, argv)) != -1;) {
        if (option != 'p')
            return EXIT_BAD_USAGE;
        laying.provider = optarg;
    }
    if (!text_is_one_of(laying.provider, provider_names())) {
        AUTO_FREE char *shown = text_shown(laying.provider);
        AUTO_FREE char *instead = fault_instead(laying.provider, provider_names());
        help_problem("there is no provider '%s'%s", shown, instead);
        return EXIT_BAD_USAGE;
    }
    if (argc - optind > 1) {
        help_problem("init takes one folder at most");
        return EXIT_BAD_USAGE;
    }
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *base = xstrdup(context->directory ? context->directory : ".");
    AUTO_FREE char *directory =
        optind < argc && *argv[optind]
            ? (context->directory ? file_join(base, argv[optind]) : xstrdup(argv[optind]))
            : xstrdup(base);
    AUTO_FREE char *there = in_the_way(directory, laying.provider);
    if (*there) {
        help_problem("nothing was laid down in %s, which has already:%s", directory, there);
        help_note("choose another folder: triphase init DIR");
        return EXIT_PROJECT;
    }
    laying.directory = directory;
    invoker_find(NULL, &laying.invoker);
    int code = EXIT_OK;
    if (given_path_new_folder("init", directory, &err) < 0 || lay_down(&laying, &err) < 0) {
        take_back(&laying);
        help_problem("%s", error_text(&err));
        code = exit_code_of(&err);
    } else {
        say_what_next(&laying, text_is(directory, "."));
    }
    words_clear(&laying.files);
    words_clear(&laying.folders);
    invoker_clear(&laying.invoker);
    return code;
}

const struct command command_init = {
    .help = {"init", "[--provider NAME] [DIR]", "lay down a project from what is built into the program"},
    .options = options,
    .run = call,
};
