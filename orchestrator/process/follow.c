#include "process/follow.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 65536, TURN = 256 << 10, SKIPPED_SHOWN = 256 };

/* Where inotify is not to be had (its instances are counted per user), the file is looked at this often. */
#define LOOK_EVERY (250 * NS_PER_MS)

/* A file that grows line by line is read at once, then at most this often: a wake for every line
 * costs more than the line. */
#define GATHER (50 * NS_PER_MS)

struct follow {
    struct loop *loop;
    char *path;
    const char *name; /* last part of the path */
    size_t limit;
    follow_function *function;
    void *context;
    int inotify; /* -1: by looking */
    int fd;      /* -1 until the file exists */
    struct watch *watch;
    struct timer *again; /* goes on with a file that had more than one turn's worth, or looks */
    struct text partial; /* of the line that has no newline yet; at most limit + 1 bytes of it */
    size_t partial_length;
    int64_t offset, position; /* handed out, read */
    int64_t looked;           /* monotonic, when it was read last */
    bool busy;                /* a callback runs */
    bool stopped;             /* by a callback */
    bool queued;              /* `again` will read on */
    bool truncated;
    int64_t *told; /* follow_whole: where the line ends */
};

static void destroy(struct follow *follow)
{
    watch_stop(&follow->watch);
    timer_free(&follow->again);
    fd_close(&follow->inotify);
    fd_close(&follow->fd);
    text_clear(&follow->partial);
    free(follow->path);
    free(follow);
}

/* The file may be absent still; only a regular one is followed, so that a pipe put in
 * its place stalls nobody. */
static int open_file(struct follow *follow, struct error *err)
{
    if (follow->fd >= 0)
        return 0;
    AUTO_CLOSE int fd = open(follow->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat state;
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &state) < 0)
        return error_system(err, errno, "cannot follow %s", follow->path);
    if (!S_ISREG(state.st_mode))
        return error_set(err, ERROR_SYSTEM, "cannot follow %s: it is no regular file", follow->path);
    if (follow->inotify >= 0 && inotify_add_watch(follow->inotify, follow->path, IN_MODIFY) < 0) {
        watch_stop(&follow->watch);
        fd_close(&follow->inotify);
    }
    follow->fd = TAKE_FD(fd);
    return 0;
}

/* `line` is followed by a NUL. The callback may stop the follow, so nothing but `stopped`
 * may be looked at after it. */
static void hand_out(struct follow *follow, const char *line, size_t length)
{
    bool skipped = length > follow->limit;
    if (follow->told)
        *follow->told = follow->offset;
    if (!skipped) {
        follow->function(follow->context, line, length, false);
        return;
    }
    char start[SKIPPED_SHOWN + 1];
    size_t shown = length < SKIPPED_SHOWN ? length : SKIPPED_SHOWN;
    memcpy(start, line, shown);
    start[shown] = '\0';
    follow->function(follow->context, start, shown, true);
}

/* Adds to the line that is not complete yet; of one that is too long no more is kept than shows that. */
static void keep_partial(struct follow *follow, const char *bytes, size_t length)
{
    size_t most = (follow->limit > SKIPPED_SHOWN ? follow->limit : SKIPPED_SHOWN) + 1;
    size_t room = most - follow->partial.length;
    text_add_bytes(&follow->partial, bytes, length < room ? length : room);
    follow->partial_length += length;
}

static void hand_out_partial(struct follow *follow)
{
    size_t length = follow->partial_length;
    follow->partial_length = 0;
    AUTO_TEXT line = follow->partial;
    follow->partial = (struct text)TEXT_INIT;
    follow->offset = follow->position;
    hand_out(follow, text_string(&line), length);
}

/* Splits what was read into lines. `bytes` may be written to. */
static void take(struct follow *follow, char *bytes, size_t length)
{
    int64_t begin = follow->position;
    for (size_t at = 0; at < length && !follow->stopped;) {
        char *end = memchr(bytes + at, '\n', length - at);
        size_t piece = end ? (size_t)(end - bytes) - at : length - at;
        follow->position = begin + (int64_t)(at + piece + (end ? 1 : 0));
        if (!end) {
            keep_partial(follow, bytes + at, piece);
        } else if (follow->partial_length) {
            keep_partial(follow, bytes + at, piece);
            hand_out_partial(follow);
        } else {
            *end = '\0';
            follow->offset = follow->position;
            hand_out(follow, bytes + at, piece);
        }
        at += piece + (end ? 1 : 0);
    }
}

/* Reads up to `most` bytes. 1 when there may be more, 0 at the end, -1 on failure. */
static int read_on(struct follow *follow, int64_t most, struct error *err)
{
    char block[BLOCK];
    while (most > 0 && !follow->stopped) {
        ssize_t got = pread(follow->fd, block, most < BLOCK ? (size_t)most : sizeof block, follow->position);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_system(err, errno, "cannot read %s", follow->path);
        if (got == 0)
            return 0;
        take(follow, block, (size_t)got);
        most -= got;
    }
    return 1;
}

static int say_truncated(const struct follow *follow, struct error *err)
{
    return error_set(err, ERROR_SYSTEM, "%s was cut off behind byte %lld: what came after it is not read",
                     follow->path, (long long)follow->position);
}

/* read_on with the look that nothing was taken away; `size` becomes the file's size then. */
static int check_size(struct follow *follow, int64_t *size, struct error *err)
{
    struct stat state;
    if (follow->truncated)
        return say_truncated(follow, err);
    if (fstat(follow->fd, &state) < 0)
        return error_system(err, errno, "cannot look at %s", follow->path);
    if (state.st_size < follow->position) {
        /* What is written now stands in another place than what was read: it would be
         * read in pieces, or twice. */
        follow->truncated = true;
        return say_truncated(follow, err);
    }
    *size = state.st_size;
    return 0;
}

/* What happened does not matter, only that something did. Before the file is read: what
 * comes after that wakes again. */
static void forget_happened(const struct follow *follow)
{
    char happened[4096] __attribute__((aligned(8)));
    /* To its end: what is like an unread event wakes nobody. */
    while (follow->inotify >= 0 && read(follow->inotify, happened, sizeof happened) > 0)
        ;
}

/* One turn's worth. Failures are kept for follow_drain, which meets them again. */
static void read_turn(struct follow *follow)
{
    int64_t size;
    forget_happened(follow);
    follow->queued = false;
    follow->looked = moment_monotonic();
    follow->busy = true;
    int more = 0;
    if (open_file(follow, NULL) == 0 && follow->fd >= 0 && check_size(follow, &size, NULL) == 0)
        more = read_on(follow, TURN, NULL);
    follow->busy = false;
    if (follow->stopped) {
        destroy(follow);
        return;
    }
    if (more > 0) {
        follow->queued = true;
        timer_arm(follow->again, 0);
    } else if (follow->inotify < 0) {
        timer_arm(follow->again, LOOK_EVERY);
    }
}

static void on_timer(void *context)
{
    read_turn(context);
}

static void on_inotify(void *context, uint32_t events)
{
    struct follow *follow = context;
    (void)events;
    if (follow->queued)
        return;
    int64_t wait = follow->looked + GATHER - moment_monotonic();
    if (wait <= 0) {
        read_turn(follow);
        return;
    }
    follow->queued = true;
    timer_arm(follow->again, wait);
}

/* 0 also when there is no inotify to be had: then the timer looks. -1 when the folder is absent. */
static int watch_folder(struct follow *follow, struct error *err)
{
    AUTO_FREE char *folder = follow->name == follow->path
                                 ? xstrdup(".")
                                 : xstrndup(follow->path, (size_t)(follow->name - follow->path));
    follow->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (follow->inotify >= 0 &&
        inotify_add_watch(follow->inotify, folder, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return error_system(err, errno, "cannot follow %s", follow->path);
        fd_close(&follow->inotify);
    }
    if (follow->inotify >= 0)
        /* By edge: what happened is left unread until the file is read, and the kernel merges
         * what is alike meanwhile. */
        return loop_watch(follow->loop, follow->inotify, EPOLLIN | EPOLLET, on_inotify, follow,
                          &follow->watch, err);
    return 0;
}

int follow_start(struct loop *loop, const char *path, size_t limit, follow_function *function, void *context,
                 struct follow **out, struct error *err)
{
    struct follow *follow = xcalloc(1, sizeof *follow);
    *follow = (struct follow){.loop = loop,
                              .path = xstrdup(path),
                              .limit = limit,
                              .function = function,
                              .context = context,
                              .inotify = -1,
                              .fd = -1};
    const char *slash = strrchr(follow->path, '/');
    follow->name = slash ? slash + 1 : follow->path;
    follow->again = loop_timer(loop, on_timer, follow);
    /* The watch stands before the file is opened, so that one made in between is not missed. */
    if (watch_folder(follow, err) < 0 || open_file(follow, err) < 0) {
        destroy(follow);
        return -1;
    }
    follow->queued = true;
    timer_arm(follow->again, 0);
    *out = follow;
    return 0;
}

int follow_drain(struct follow *follow, bool last, struct error *err)
{
    if (follow->busy)
        return error_set(err, ERROR_SYSTEM, "cannot drain %s from its own callback", follow->path);
    int64_t size = 0;
    if (open_file(follow, err) < 0 || (follow->fd >= 0 && check_size(follow, &size, err) < 0))
        return -1;
    /* To the size it has now: a writer that is faster than this reader would keep it here for ever. */
    follow->busy = true;
    int result = follow->fd < 0 ? 0 : read_on(follow, size - follow->position, err);
    if (result >= 0 && last && follow->partial_length && !follow->stopped)
        hand_out_partial(follow);
    follow->busy = false;
    if (follow->stopped)
        destroy(follow);
    return result < 0 ? -1 : 0;
}

int follow_whole(const char *path, size_t limit, follow_function *function, void *context, int64_t *offset,
                 struct error *err)
{
    AUTO_FREE char *own = xstrdup(path);
    struct follow follow = {.path = own,
                            .limit = limit,
                            .function = function,
                            .context = context,
                            .inotify = -1,
                            .fd = -1,
                            .told = offset};
    int64_t size = 0;
    int result = open_file(&follow, err);
    if (result == 0 && follow.fd >= 0)
        result = check_size(&follow, &size, err) < 0 ? -1 : read_on(&follow, size, err);
    text_clear(&follow.partial);
    fd_close(&follow.fd);
    return result < 0 ? -1 : 0;
}

int64_t follow_offset(const struct follow *follow)
{
    return follow->offset;
}

void follow_stop(struct follow **handle)
{
    struct follow *follow = *handle;
    *handle = NULL;
    if (!follow)
        return;
    if (follow->busy)
        follow->stopped = true;
    else
        destroy(follow);
}
