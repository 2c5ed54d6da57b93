#include "base/rewrite.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int file_rewrite(const char *path, const void *bytes, size_t length, struct error *err)
{
    AUTO_FREE char *beside = xasprintf("%s.new.%ld", path, (long)getpid());
    struct stat was, made;
    if (lstat(path, &was) < 0)
        return error_system(err, errno, "cannot write %s", path);
    if (!S_ISREG(was.st_mode))
        return error_set(err, ERROR_SYSTEM, "cannot write %s: it is no file", path);
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
        return error_system(err, errno, "cannot write %s", path);
    unlink(beside);
    AUTO_CLOSE int fd = file_create(beside, O_WRONLY | O_EXCL, 0600);
    if (fd < 0 || fstat(fd, &made) < 0)
        return error_system(err, errno, "cannot write %s", path);
    bool others = made.st_uid != was.st_uid || made.st_gid != was.st_gid;
    if (file_write_all(fd, bytes, length) < 0 || (others && fchown(fd, was.st_uid, was.st_gid) < 0) ||
        fchmod(fd, was.st_mode & 07777) < 0 || fsync(fd) < 0 || rename(beside, path) < 0) {
        int why = errno;
        unlink(beside);
        return error_system(err, why, "cannot write %s", path);
    }
    return 0;
}
