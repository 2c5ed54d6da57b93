#include "process/lock.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "format/json.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CONTENT_LIMIT = 4096, TRIES = 50 };

/* Whoever looks holds the file shared for an instant, which must not read as busy: that is waited
 * for, a real holder is not. */
static bool try_exclusive(int fd)
{
    for (int left = TRIES; left; left--) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK || flock(fd, LOCK_SH | LOCK_NB) < 0)
            return false;
        flock(fd, LOCK_UN);
        nanosleep(&(struct timespec){.tv_nsec = 500000 + getpid() % 16 * 50000}, NULL);
    }
    errno = EWOULDBLOCK;
    return false;
}

static bool is_same_file(int fd, const char *path)
{
    struct stat held, there;
    return fstat(fd, &held) == 0 && stat(path, &there) == 0 && held.st_dev == there.st_dev &&
           held.st_ino == there.st_ino;
}

static bool copy_word(char *to, size_t room, const struct json *object, const char *key)
{
    const char *word = json_get_string(object, key, "");
    size_t length = strlen(word);
    if (!length || length >= room)
        return false;
    memcpy(to, word, length + 1);
    return true;
}

static int read_owner(const char *path, struct lock_owner *out, struct error *err)
{
    AUTO_TEXT content = TEXT_INIT;
    if (file_read(path, CONTENT_LIMIT, &content, err) < 0)
        return -1;
    AUTO_JSON *object = json_parse(text_string(&content), content.length, NULL);
    struct lock_owner owner = {0};
    int64_t pid = json_get_integer(object, "pid", 0);
    owner.start = json_get_integer(object, "start", -1);
    if (!copy_word(owner.run, sizeof owner.run, object, "run") ||
        !copy_word(owner.boot, sizeof owner.boot, object, "boot") || pid <= 0 || pid > INT_MAX ||
        owner.start < 0)
        return error_set(err, ERROR_SYSTEM, "%s does not say who holds it", path);
    owner.pid = (pid_t)pid;
    *out = owner;
    return 0;
}

static int say_busy(const char *path, struct error *err)
{
    struct lock_owner owner;
    if (read_owner(path, &owner, NULL) < 0)
        return error_set(err, ERROR_BUSY, "%s is held by another process", path);
    return error_set(err, ERROR_BUSY,
                     "run %s (process %d) has it; wait for it, or end it in order with 'triphase cancel %s'",
                     id_shown(owner.run), (int)owner.pid, id_shown(owner.run));
}

int lock_take(const char *path, const struct lock_owner *owner, int *out_fd, struct error *err)
{
    /* A lock file that is removed or replaced between open and flock would be held by
     * nobody who looks for it. */
    for (int left = 10; left; left--) {
        AUTO_CLOSE int fd = file_create(path, O_RDWR, 0600);
        if (fd < 0)
            return error_system(err, errno, "cannot open the lock %s", path);
        if (!try_exclusive(fd)) {
            if (errno == EWOULDBLOCK)
                return say_busy(path, err);
            return error_system(err, errno, "cannot take the lock %s", path);
        }
        if (!is_same_file(fd, path))
            continue;
        if (lock_write(fd, owner, err) < 0)
            return -1;
        *out_fd = TAKE_FD(fd);
        return 0;
    }
    return error_set(err, ERROR_SYSTEM, "cannot take the lock %s: it is replaced again and again", path);
}

int lock_write(int fd, const struct lock_owner *owner, struct error *err)
{
    AUTO_JSON *object = json_new_object();
    json_set_string(object, "run", owner->run);
    json_set_integer(object, "pid", owner->pid);
    json_set_integer(object, "start", owner->start);
    json_set_string(object, "boot", owner->boot);
    AUTO_FREE char *text = json_compact(object);
    size_t length = strlen(text);
    text[length] = '\n'; /* in place of the NUL: the length is known from here on */
    /* Written over, then cut: a reader never finds it empty. */
    if (lseek(fd, 0, SEEK_SET) < 0 || file_write_all(fd, text, length + 1) < 0 ||
        ftruncate(fd, (off_t)length + 1) < 0)
        return error_system(err, errno, "cannot write the lock");
    return 0;
}

int lock_look(const char *path, struct lock_owner *out, bool *held, struct error *err)
{
    struct lock_owner owner;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_system(err, errno, "cannot open the lock %s", path);
    bool free_now = flock(fd, LOCK_SH | LOCK_NB) == 0;
    if (!free_now && errno != EWOULDBLOCK)
        return error_system(err, errno, "cannot look at the lock %s", path);
    if (free_now)
        flock(fd, LOCK_UN);
    if (read_owner(path, &owner, err) < 0)
        return -1;
    *out = owner;
    *held = !free_now;
    return 0;
}
