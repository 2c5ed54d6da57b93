#include "command/given_path.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(const char *what, const char *path, const char *why, struct error *err)
{
    AUTO_FREE char *shown = text_shown(path);
    return error_set(err, ERROR_USAGE, "%s: %s: %s", what, shown, why);
}

static int refuse_call(const char *what, const char *path, int number, struct error *err)
{
    AUTO_ERROR why = ERROR_INIT;
    AUTO_FREE char *shown = text_shown(path);
    error_system(&why, number, "%s: %s", what, shown);
    return error_set(err, ERROR_USAGE, "%s", error_text(&why));
}

int given_path_file(const char *what, const char *path, struct error *err)
{
    struct stat state;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &state) < 0)
        return refuse_call(what, path, errno, err);
    return S_ISREG(state.st_mode) ? 0 : refuse(what, path, "is no file", err);
}

/* A folder in which something can be made. */
static int check_folder(const char *what, const char *path, struct error *err)
{
    struct stat state;
    if (stat(path, &state) < 0)
        return refuse_call(what, path, errno, err);
    if (!S_ISDIR(state.st_mode))
        return refuse(what, path, "is no folder", err);
    return access(path, W_OK | X_OK) < 0 ? refuse_call(what, path, errno, err) : 0;
}

int given_path_new_file(const char *what, const char *path, bool replaces, struct error *err)
{
    struct stat state;
    AUTO_FREE char *folder = file_parent(path);
    if (!*path)
        return refuse(what, path, "is no name of a file", err);
    if (check_folder(what, folder, err) < 0)
        return -1;
    if (lstat(path, &state) < 0)
        return errno == ENOENT ? 0 : refuse_call(what, path, errno, err);
    if (S_ISDIR(state.st_mode))
        return refuse(what, path, "is a folder; name a file in it", err);
    return replaces ? 0 : refuse(what, path, "is there already; name another file, or move it away", err);
}

int given_path_new_folder(const char *what, const char *path, struct error *err)
{
    struct stat state;
    AUTO_FREE char *at = xstrdup(path);
    while (stat(at, &state) < 0) {
        if (errno != ENOENT || text_is(at, "/") || text_is(at, "."))
            return refuse_call(what, at, errno, err);
        char *above = file_parent(at);
        free(at);
        at = above;
    }
    return check_folder(what, at, err);
}
