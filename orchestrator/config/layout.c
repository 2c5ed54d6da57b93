#include "config/layout.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "config/invoker.h"
#include "config/text_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Below a file that is no folder nothing can be opened, made or removed, whoever asks. */
static char *refused(const char *name)
{
    AUTO_FREE char *shown = text_shown(name);
    for (char *slash = shown; (slash = strchr(slash, '/'));)
        *slash = '|';
    return xasprintf("/dev/null/%s is no name", shown);
}

static char *of_id(const char *state, const char *folder, const char *id)
{
    return id_is(id) ? xasprintf("%s/%s/%s", state, folder, id) : refused(id);
}

char *layout_state(const char *project_directory)
{
    return file_join(project_directory, ".triphase");
}

char *layout_store(const char *state)
{
    return file_join(state, "store.db");
}

char *layout_project(const char *store)
{
    AUTO_FREE char *state = file_parent(store);
    return file_parent(state);
}

char *layout_run(const char *state, const char *run)
{
    return of_id(state, "runs", run);
}

char *layout_machine(const char *state, const char *machine)
{
    return of_id(state, "machines", machine);
}

char *layout_target_state(const char *state, const char *target)
{
    return value_is_name(target) ? xasprintf("%s/targets/%s/state", state, target) : refused(target);
}

char *layout_payloads(const char *state)
{
    return file_join(state, "payloads");
}

char *layout_lock(const char *state, const char *target)
{
    return value_is_name(target) ? xasprintf("%s/locks/%s", state, target) : refused(target);
}

char *layout_step_file(int seq, const char *step, int attempt, const char *suffix)
{
    return value_is_name(step) ? xasprintf("%02d-%s.%d.%s", seq, step, attempt, suffix) : refused(step);
}

char *layout_stored(const char *state, const char *path)
{
    if (!*path)
        return refused(path);
    for (const char *part = path;; part++) {
        size_t length = strcspn(part, "/");
        if (length == 0 || (*part == '.' && strspn(part, ".") == length && length <= 2))
            return refused(path);
        part += length;
        if (!*part)
            return file_join(state, path);
    }
}

char *layout_sockets(const char *run, enum transport_kind transport)
{
    if (!id_is(run))
        return refused(run);
    return xasprintf("/tmp/triphase-%lu/%s%c", (unsigned long)geteuid(), id_tail(run, 12),
                     transport_letter(transport));
}

int layout_make(const char *state, struct error *err)
{
    static const char *const folders[] = {"runs", "machines", "targets", "locks", "payloads"};
    static const char nothing_of_it[] = "*\n";
    AUTO_FREE char *ignore = file_join(state, ".gitignore");
    bool fresh = !file_exists(state);
    if (file_make_dirs(state, 0700, err) < 0)
        return -1;
    AUTO_CLOSE int folder = open(state, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return errno == ENOTDIR || errno == ELOOP
                   ? error_set(err, ERROR_PROJECT,
                               "%s is a link, and what it leads to would be written into and closed to all "
                               "others: remove the link",
                               state)
                   : error_system(err, errno, "cannot open the folder %s", state);
    if (fresh) {
        /* Behind sudo it is the invoking user's, also in a folder of root's; what is made in it follows. */
        AUTO_INVOKER invoker = {.home = NULL};
        invoker_find(NULL, &invoker);
        if (invoker_own(&invoker, state) < 0)
            return error_system(err, errno, "cannot give the folder %s to its user", state);
    }
    if (!file_exists(ignore) && file_replace(ignore, nothing_of_it, strlen(nothing_of_it), 0644, err) < 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        AUTO_FREE char *path = file_join(state, folders[i]);
        if (file_make_dirs(path, 0700, err) < 0)
            return -1;
    }
    if (fchmod(folder, 0700) < 0)
        return error_system(err, errno, "cannot close %s to others", state);
    return 0;
}

/* One folder on the way to a socket: made 0700, or found to be a real folder of ours
 * that nobody else can enter. */
static int make_private(const char *path, struct error *err)
{
    struct stat state;
    if (mkdir(path, 0700) == 0)
        return 0;
    if (errno != EEXIST || lstat(path, &state) < 0)
        return error_system(err, errno, "cannot make the socket folder %s", path);
    if (!S_ISDIR(state.st_mode) || state.st_uid != geteuid() || (state.st_mode & 077))
        return error_set(
            err, ERROR_SYSTEM,
            "the socket folder %s is not ours alone (%s of user %lu, mode %04o): remove it, or have"
            " root do so, and try again",
            path, S_ISDIR(state.st_mode) ? "a folder" : "no folder, but something",
            (unsigned long)state.st_uid, (unsigned)state.st_mode & 07777);
    return 0;
}

int layout_make_sockets(const char *path, struct error *err)
{
    AUTO_FREE char *above = xstrdup(path);
    char *slash = strrchr(above, '/');
    if (slash)
        *slash = '\0';
    return make_private(above, err) < 0 ? -1 : make_private(path, err);
}
