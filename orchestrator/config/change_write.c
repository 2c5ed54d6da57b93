#include "config/change_write.h"

#include "base/deadline.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_LIMIT = 1 << 20, LOCK_SECONDS = 10, LOCK_PAUSE_MS = 5 };

/* Behind sudo the user's own file is read and written with the user's rights: whatever links there are in
 * the way lead no further than these do. */
static int as_user(const struct change_write *write, struct error *err)
{
    const struct invoker *user = write->acts_as;
    if (!user || !user->behind_sudo)
        return 0;
    if (setegid(user->gid) < 0 || seteuid(user->uid) < 0)
        return error_system(err, errno, "cannot act as the user who called sudo");
    return 0;
}

static void as_ourselves(const struct change_write *write)
{
    if (write->acts_as && write->acts_as->behind_sudo && (seteuid(getuid()) < 0 || setegid(getgid()) < 0))
        abort();
}

static int take_lock(struct change_write *write, struct error *err)
{
    AUTO_FREE char *folder = file_parent(write->path);
    AUTO_CLOSE int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_system(err, errno, "cannot open the folder %s", folder);
    struct deadline deadline = deadline_in(LOCK_SECONDS * NS_PER_S);
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            break; /* a file system that knows no locks: what was read is looked at again before the end */
        if (deadline_over(deadline))
            return error_set(err, ERROR_BUSY, "another change of %s is under way: try again", write->path);
        poll(NULL, 0, LOCK_PAUSE_MS);
    }
    write->lock = TAKE_FD(fd);
    return 0;
}

static int begin(const char *path, bool may_be_absent, struct change_write *write, struct error *err)
{
    AUTO_FREE char *folder = file_parent(path);
    write->path = realpath(path, NULL);
    if (!write->path && errno != ENOENT)
        return error_system(err, errno, "cannot read %s", path);
    if (!write->path && (!may_be_absent || file_exists(path)))
        return error_set(err, ERROR_SYSTEM, "cannot read %s: %s", path,
                         may_be_absent ? "it is a link to nothing" : "there is no such file");
    if (!write->path) {
        write->path = xstrdup(path);
        if (!file_exists(folder)) /* made, and locked, once there is something to put into it */
            return 0;
    }
    if (take_lock(write, err) < 0)
        return -1;
    write->there = file_exists(write->path);
    return write->there ? file_read(write->path, FILE_LIMIT, &write->bytes, err) : 0;
}

int change_write_begin(const char *path, const struct invoker *acts_as, bool may_be_absent,
                       struct change_write *out, struct error *err)
{
    struct change_write write = {.acts_as = acts_as, .lock = -1, .bytes = TEXT_INIT};
    int result = as_user(&write, err);
    if (result == 0)
        result = begin(path, may_be_absent, &write, err);
    as_ourselves(&write);
    if (result < 0)
        change_write_end(&write);
    else
        *out = write;
    return result;
}

static int put(struct change_write *write, const struct text *bytes, struct error *err)
{
    AUTO_TEXT now = TEXT_INIT;
    AUTO_FREE char *folder = file_parent(write->path);
    if (write->lock < 0 && (file_make_dirs(folder, 0700, err) < 0 || take_lock(write, err) < 0))
        return -1;
    bool there = file_exists(write->path);
    if (there && file_read(write->path, FILE_LIMIT, &now, err) < 0)
        return -1;
    if (there != write->there || now.length != write->bytes.length ||
        memcmp(text_string(&now), text_string(&write->bytes), now.length) != 0)
        return error_set(err, ERROR_BUSY, "%s was changed meanwhile by something else: try again",
                         write->path);
    return there ? file_rewrite(write->path, text_string(bytes), bytes->length, err)
                 : file_replace(write->path, text_string(bytes), bytes->length, 0600, err);
}

int change_write_put(struct change_write *write, const struct text *bytes, struct error *err)
{
    int result = as_user(write, err);
    if (result == 0)
        result = put(write, bytes, err);
    as_ourselves(write);
    return result;
}

void change_write_end(struct change_write *write)
{
    free(write->path);
    text_clear(&write->bytes);
    fd_close(&write->lock);
    *write = (struct change_write){.lock = -1};
}
