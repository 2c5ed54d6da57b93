#include "base/file.h"

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static int read_from(int fd, const char *path, size_t limit, struct text *out, struct error *err)
{
    AUTO_TEXT read_so_far = TEXT_INIT;
    char block[65536];
    for (;;) {
        ssize_t got = read(fd, block, sizeof block);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_system(err, errno, "cannot read %s", path);
        if (got == 0)
            break;
        if (read_so_far.length + (size_t)got > limit)
            return error_set(err, ERROR_SYSTEM, "cannot read %s: it is larger than %zu bytes", path, limit);
        text_add_bytes(&read_so_far, block, (size_t)got);
    }
    text_add_bytes(out, text_string(&read_so_far), read_so_far.length);
    return 0;
}

int file_read(const char *path, size_t limit, struct text *out, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_system(err, errno, "cannot open %s", path);
    return read_from(fd, path, limit, out, err);
}

int file_read_tail(const char *path, size_t limit, struct text *out, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat state;
    if (fd < 0 || fstat(fd, &state) < 0)
        return error_system(err, errno, "cannot open %s", path);
    if (state.st_size > (off_t)limit && lseek(fd, state.st_size - (off_t)limit, SEEK_SET) < 0)
        return error_system(err, errno, "cannot seek in %s", path);
    /* The file may grow while it is read: what came later is not asked for. */
    AUTO_FREE char *block = xmalloc(limit);
    size_t have = 0;
    while (have < limit) {
        ssize_t got = read(fd, block + have, limit - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_system(err, errno, "cannot read %s", path);
        if (got == 0)
            break;
        have += (size_t)got;
    }
    text_add_bytes(out, block, have);
    return 0;
}

int file_write_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length) {
        ssize_t put = write(fd, at, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        at += put;
        length -= (size_t)put;
    }
    return 0;
}

/* Whether root is at work in somebody's folder, and whose it is. */
static bool somebodys(const char *folder, struct stat *owner)
{
    return geteuid() == 0 && stat(folder, owner) == 0 && owner->st_uid != 0;
}

int file_create(const char *path, int flags, mode_t mode)
{
    AUTO_CLOSE int fd = open(path, flags | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode);
    AUTO_FREE char *folder = file_parent(path);
    struct stat owner, made;
    if (fd >= 0 && somebodys(folder, &owner) && fstat(fd, &made) == 0 && made.st_uid == 0 &&
        made.st_nlink == 1 && fchown(fd, owner.st_uid, owner.st_gid) < 0)
        return -1;
    return TAKE_FD(fd);
}

int file_give(const char *path, uid_t user, gid_t group)
{
    struct stat state;
    AUTO_CLOSE int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &state) < 0)
        return -1;
    if (!S_ISDIR(state.st_mode) && state.st_nlink != 1) {
        errno = EPERM;
        return -1;
    }
    return fchownat(fd, "", user, group, AT_EMPTY_PATH);
}

/* A name with a second link could be a file of anybody's. */
static void give(int folder, const char *name, const struct stat *owner)
{
    struct stat state;
    if (fstatat(folder, name, &state, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (state.st_uid == 0 && (S_ISDIR(state.st_mode) || state.st_nlink == 1) &&
        fchownat(folder, name, owner->st_uid, owner->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (!S_ISDIR(state.st_mode))
        return;
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (!text_is(entry->d_name, ".") && !text_is(entry->d_name, ".."))
            give(dirfd(dir), entry->d_name, owner);
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
}

void file_give_tree(const char *path)
{
    AUTO_FREE char *folder = file_parent(path);
    struct stat owner;
    if (somebodys(folder, &owner))
        give(AT_FDCWD, path, &owner);
}

static int give_to(int fd, const struct stat *owner)
{
    struct stat made;
    if (fstat(fd, &made) < 0)
        return -1;
    bool others = made.st_uid != owner->st_uid || made.st_gid != owner->st_gid;
    return others ? fchown(fd, owner->st_uid, owner->st_gid) : 0;
}

/* `owner` NULL: it stays with whom file_create gave it to. */
static int put(const char *path, const void *bytes, size_t length, mode_t mode, const struct stat *owner,
               struct error *err)
{
    AUTO_FREE char *beside = xasprintf("%s.new.%ld", path, (long)getpid());
    unlink(beside);
    AUTO_CLOSE int fd = file_create(beside, O_WRONLY | O_EXCL, 0600);
    if (fd < 0)
        return error_system(err, errno, "cannot write %s", path);
    if (file_write_all(fd, bytes, length) < 0 || (owner && give_to(fd, owner) < 0) || fchmod(fd, mode) < 0 ||
        fsync(fd) < 0 || rename(beside, path) < 0) {
        int why = errno;
        unlink(beside);
        return error_system(err, why, "cannot write %s", path);
    }
    return 0;
}

int file_replace(const char *path, const void *bytes, size_t length, mode_t mode, struct error *err)
{
    return put(path, bytes, length, mode, NULL, err);
}

int file_rewrite(const char *path, const void *bytes, size_t length, struct error *err)
{
    struct stat was;
    if (lstat(path, &was) < 0)
        return error_system(err, errno, "cannot write %s", path);
    if (!S_ISREG(was.st_mode))
        return error_set(err, ERROR_SYSTEM, "cannot write %s: it is no file", path);
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
        return error_system(err, errno, "cannot write %s", path);
    return put(path, bytes, length, was.st_mode & 07777, &was, err);
}

bool file_exists(const char *path)
{
    struct stat state;
    return lstat(path, &state) == 0;
}

int file_look(const char *path, struct error *err)
{
    struct stat state;
    if (lstat(path, &state) == 0)
        return 1;
    return errno == ENOENT || errno == ENOTDIR ? 0 : error_system(err, errno, "cannot look at %s", path);
}

bool file_is_dir(const char *path)
{
    struct stat state;
    return stat(path, &state) == 0 && S_ISDIR(state.st_mode);
}

bool file_is_program(const char *path)
{
    struct stat state;
    return stat(path, &state) == 0 && S_ISREG(state.st_mode) && access(path, X_OK) == 0;
}

int file_make_dirs(const char *path, mode_t mode, struct error *err)
{
    AUTO_FREE char *part = xstrdup(path);
    for (char *slash = part + 1;; slash++) {
        if (*slash && *slash != '/')
            continue;
        char kept = *slash;
        *slash = '\0';
        bool made = mkdir(part, mode) == 0;
        if (!made && errno != EEXIST)
            return error_system(err, errno, "cannot make the folder %s", part);
        if (made) {
            AUTO_FREE char *above = file_parent(part);
            struct stat owner;
            if (somebodys(above, &owner) && file_give(part, owner.st_uid, owner.st_gid) < 0)
                return error_system(err, errno, "cannot give the folder %s to the owner of %s", part, above);
        }
        if (!kept)
            break;
        *slash = kept;
    }
    if (!file_is_dir(path))
        return error_set(err, ERROR_SYSTEM,
                         "cannot make the folder %s: something else stands there; move it away", path);
    return 0;
}

/* Empties the folder behind `fd`; entries on another device are left and make it fail. */
static int remove_inside(int fd, dev_t device)
{
    int again = dup(fd);
    if (again < 0)
        return -1;
    fcntl(again, F_SETFD, FD_CLOEXEC);
    DIR *dir = fdopendir(again);
    if (!dir) {
        close(again);
        return -1;
    }
    int result = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (text_is(entry->d_name, ".") || text_is(entry->d_name, ".."))
            continue;
        struct stat state;
        if (fstatat(fd, entry->d_name, &state, AT_SYMLINK_NOFOLLOW) < 0) {
            result = errno == ENOENT ? result : -1;
            continue;
        }
        if (S_ISDIR(state.st_mode)) {
            AUTO_CLOSE int below = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (state.st_dev != device) {
                errno = EXDEV;
                result = -1;
            } else if (below < 0 || remove_inside(below, device) < 0 ||
                       unlinkat(fd, entry->d_name, AT_REMOVEDIR) < 0) {
                result = -1;
            }
        } else if (unlinkat(fd, entry->d_name, 0) < 0 && errno != ENOENT) {
            result = -1;
        }
    }
    int why = errno;
    closedir(dir);
    errno = why;
    return result;
}

int file_remove_tree(const char *path, struct error *err)
{
    struct stat state;
    if (lstat(path, &state) < 0)
        return errno == ENOENT ? 0 : error_system(err, errno, "cannot look at %s", path);
    if (!S_ISDIR(state.st_mode)) {
        if (unlink(path) < 0 && errno != ENOENT)
            return error_system(err, errno, "cannot remove %s", path);
        return 0;
    }
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || remove_inside(fd, state.st_dev) < 0 || rmdir(path) < 0)
        return error_system(err, errno, "cannot remove %s", path);
    return 0;
}

char *file_join(const char *a, const char *b)
{
    if (!a || !*a || *b == '/')
        return xstrdup(b);
    return xasprintf("%s%s%s", a, text_ends(a, "/") ? "" : "/", b);
}

char *file_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash ? xstrdup(".") : slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

char *file_folder(const char *path)
{
    return file_is_dir(path) ? xstrdup(path) : file_parent(path);
}

bool file_is_within(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return length && text_starts(path, folder) && (path[length] == '/' || !path[length]);
}

const char *file_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return text_starts(path, folder) && path[length] == '/' ? path + length + 1 : path;
}

static char *find_in(const char *list, const char *name)
{
    for (const char *at = list;; at++) {
        size_t length = strcspn(at, ":");
        if (length && *at == '/') {
            char *candidate = xasprintf("%.*s/%s", (int)length, at, name);
            if (file_is_program(candidate))
                return candidate;
            free(candidate);
        }
        at += length;
        if (!*at)
            return NULL;
    }
}

/* Debian's PATH of an ordinary user, and of root by `su`, has the bin folders without the sbin ones. */
static char *find_beside(const char *list, const char *name)
{
    static const char *const folders[][2] = {{":/usr/local/bin:", "/usr/local/sbin"},
                                             {":/usr/bin:", "/usr/sbin"},
                                             {":/bin:", "/sbin"}};
    AUTO_FREE char *closed = xasprintf(":%s:", list);
    char *found = NULL;
    for (size_t i = 0; i < COUNT_OF(folders) && !found; i++)
        if (strstr(closed, folders[i][0]))
            found = find_in(folders[i][1], name);
    return found;
}

char *file_find_program(const char *name, const char *path_list)
{
    if (strchr(name, '/'))
        return file_is_program(name) ? xstrdup(name) : NULL;
    if (path_list)
        return find_in(path_list, name);
    const char *path = getenv("PATH");
    if (!path)
        path = FILE_USUAL_PATH;
    char *found = find_in(path, name);
    return found ? found : find_beside(path, name);
}

int file_list(const char *path, struct words *out, struct error *err)
{
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : error_system(err, errno, "cannot list %s", path);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (!text_is(entry->d_name, ".") && !text_is(entry->d_name, ".."))
            words_add(out, entry->d_name);
    closedir(dir);
    words_sort_unique(out);
    return 0;
}

bool file_is_remote(const char *path)
{
    /* Magic numbers of statfs(2): NFS, SMB, SMB2/CIFS, 9P, FUSE, AFS, Ceph, Coda, OCFS2, GFS2. */
    static const uint32_t remote[] = {0x6969,     0x517b,     0xfe534d42, 0xff534d42, 0x01021997, 0x65735546,
                                      0x5346414f, 0x00c36400, 0x73757245, 0x7461636f, 0x01161970};
    struct statfs state;
    if (statfs(path, &state) < 0)
        return false;
    for (size_t i = 0; i < COUNT_OF(remote); i++)
        if ((uint32_t)state.f_type == remote[i])
            return true;
    return false;
}
