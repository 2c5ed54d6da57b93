#include "sandbox/tree.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/words.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { COPY_LIMIT = 16 << 20, COPY_DEPTH = 16 };

static int open_inside(int root, const char *path, int flags)
{
    struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC),
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
}

int tree_open(const char *path, struct error *err)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? error_system(err, errno, "cannot open the root tree %s", path) : fd;
}

bool tree_has(int root, const char *path)
{
    AUTO_CLOSE int fd = open_inside(root, path, O_PATH);
    return fd >= 0;
}

int tree_read(int root, const char *path, size_t limit, struct text *out, struct error *err)
{
    AUTO_CLOSE int fd = open_inside(root, path, O_RDONLY | O_NONBLOCK);
    struct stat state;
    if (fd < 0 || fstat(fd, &state) < 0)
        return error_system(err, errno, "cannot read /%s of the guest", path);
    if (!S_ISREG(state.st_mode))
        return error_set(err, ERROR_PROVIDER, "cannot read /%s of the guest: it is no file", path);
    AUTO_FREE char *block = xmalloc(limit + 1);
    size_t have = 0;
    for (ssize_t got; have <= limit && (got = read(fd, block + have, limit + 1 - have)) != 0;) {
        if (got < 0)
            return error_system(err, errno, "cannot read /%s of the guest", path);
        have += (size_t)got;
    }
    if (have > limit)
        return error_set(err, ERROR_PROVIDER, "cannot read /%s of the guest: it is larger than %zu bytes",
                         path, limit);
    text_add_bytes(out, block, have);
    return 0;
}

/* The folder of that path, made where it is missing. */
static int folder_of(int root, const char *path, struct error *err)
{
    int fd = open_inside(root, path, O_PATH | O_DIRECTORY);
    if (fd >= 0)
        return fd;
    if (errno != ENOENT)
        return error_system(err, errno, "cannot open the guest's folder /%s", path);
    AUTO_FREE char *above = xstrdup(path);
    char *slash = strrchr(above, '/');
    const char *name = slash ? slash + 1 : path;
    if (slash)
        *slash = '\0';
    AUTO_CLOSE int parent = folder_of(root, slash ? above : "", err);
    if (parent < 0)
        return -1;
    if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
        return error_system(err, errno, "cannot make the guest's folder /%s", path);
    /* The caller's umask shall not show in the guest. */
    fd = open_inside(root, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0 || fchmod(fd, 0755) < 0) {
        int why = errno;
        fd_close(&fd);
        return error_system(err, why, "cannot make the guest's folder /%s", path);
    }
    return fd;
}

/* Opens the folder that holds `path`, the last name in `name` (borrowed from `path`). */
static int parent_of(int root, const char *path, const char **name, struct error *err)
{
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    if (!slash)
        return folder_of(root, "", err);
    AUTO_FREE char *above = xstrndup(path, (size_t)(slash - path));
    return folder_of(root, above, err);
}

int tree_write(int root, const char *path, const char *bytes, size_t length, mode_t mode, struct error *err)
{
    const char *name;
    AUTO_CLOSE int parent = parent_of(root, path, &name, err);
    if (parent < 0)
        return -1;
    if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
        return error_system(err, errno, "cannot replace /%s of the guest", path);
    AUTO_CLOSE int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || file_write_all(fd, bytes, length) < 0 || fchmod(fd, mode) < 0)
        return error_system(err, errno, "cannot write /%s of the guest", path);
    return 0;
}

int tree_link(int root, const char *path, const char *to, struct error *err)
{
    const char *name;
    AUTO_CLOSE int parent = parent_of(root, path, &name, err);
    if (parent < 0)
        return -1;
    if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
        return error_system(err, errno, "cannot replace /%s of the guest", path);
    if (symlinkat(to, parent, name) < 0)
        return error_system(err, errno, "cannot make the link /%s of the guest", path);
    return 0;
}

int tree_remove(int root, const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *above = xstrndup(path, slash ? (size_t)(slash - path) : 0);
    AUTO_CLOSE int parent = open_inside(root, above, O_PATH | O_DIRECTORY);
    if (parent < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (parent < 0 || (unlinkat(parent, slash ? slash + 1 : path, 0) < 0 && errno != ENOENT))
        return error_system(err, errno, "cannot remove /%s of the guest", path);
    return 0;
}

int tree_folder(int root, const char *path, mode_t mode, uid_t user, gid_t group, struct error *err)
{
    AUTO_CLOSE int made = folder_of(root, path, err);
    if (made < 0)
        return -1;
    AUTO_CLOSE int fd = open_inside(root, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0 || fchown(fd, user, group) < 0 || fchmod(fd, mode) < 0)
        return error_system(err, errno, "cannot set up the guest's folder /%s", path);
    return 0;
}

int tree_own(int root, const char *path, uid_t user, gid_t group, struct error *err)
{
    AUTO_CLOSE int fd = open_inside(root, path, O_PATH);
    if (fd < 0 || fchownat(fd, "", user, group, AT_EMPTY_PATH) < 0)
        return error_system(err, errno, "cannot give /%s of the guest to user %u", path, (unsigned)user);
    return 0;
}

static int copy(int root, const char *from, const char *path, tree_wanted_function *wanted, int depth,
                struct error *err)
{
    struct stat state;
    if (depth > COPY_DEPTH || lstat(from, &state) < 0)
        return 0;
    if (S_ISLNK(state.st_mode)) {
        char to[PATH_MAX];
        ssize_t length = readlink(from, to, sizeof to - 1);
        if (length < 0)
            return 0;
        to[length] = '\0';
        return tree_link(root, path, to, err);
    }
    if (S_ISDIR(state.st_mode)) {
        AUTO_WORDS names = WORDS_INIT;
        if (tree_folder(root, path, state.st_mode & 07777, 0, 0, err) < 0 || file_list(from, &names, err) < 0)
            return -1;
        for (size_t i = 0; i < names.count; i++) {
            AUTO_FREE char *below = file_join(from, names.items[i]);
            AUTO_FREE char *there = file_join(path, names.items[i]);
            if (copy(root, below, there, wanted, depth + 1, err) < 0)
                return -1;
        }
        return 0;
    }
    if (!S_ISREG(state.st_mode) || (wanted && !wanted(from)))
        return 0;
    AUTO_TEXT content = TEXT_INIT;
    if (file_read(from, COPY_LIMIT, &content, NULL) < 0)
        return 0;
    return tree_write(root, path, text_string(&content), content.length, state.st_mode & 0755, err);
}

int tree_copy(int root, const char *from, const char *path, tree_wanted_function *wanted, struct error *err)
{
    return copy(root, from, path, wanted, 0, err);
}
