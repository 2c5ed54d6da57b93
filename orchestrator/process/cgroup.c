#include "process/cgroup.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A tree that forks faster than it is signalled is given up on after this many rounds; a
 * killed one cannot do that. */
enum { ROUNDS = 64, DEPTH = 32 };

static bool is_gone(int number)
{
    return number == ENOENT || number == ENODEV;
}

/* Writes one short value to a control file. 0 or -1 with errno. */
static int control(const char *path, const char *file, const char *value)
{
    AUTO_FREE char *name = file_join(path, file);
    AUTO_CLOSE int fd = open(name, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t put;
    while ((put = write(fd, value, strlen(value))) < 0 && errno == EINTR)
        ;
    return put < 0 ? -1 : 0;
}

/* Calls `visit` for each directory below `path` and for itself: deepest first. Stops at
 * the first negative answer. */
static int walk(const char *path, int depth, int (*visit)(const char *path, void *context), void *context)
{
    AUTO_WORDS names = WORDS_INIT;
    if (file_list(path, &names, NULL) < 0 && !is_gone(errno))
        return -1;
    for (size_t i = 0; i < names.count && depth < DEPTH; i++) {
        AUTO_FREE char *below = file_join(path, names.items[i]);
        struct stat state;
        if (lstat(below, &state) == 0 && S_ISDIR(state.st_mode) && walk(below, depth + 1, visit, context) < 0)
            return -1;
    }
    return visit(path, context);
}

struct pid_list {
    pid_t *pids;
    size_t count, room;
};

static int collect(const char *path, void *context)
{
    struct pid_list *list = context;
    AUTO_FREE char *name = file_join(path, "cgroup.procs");
    FILE *procs = fopen(name, "re");
    if (!procs)
        return is_gone(errno) ? 0 : -1;
    char line[32];
    errno = 0;
    while (fgets(line, sizeof line, procs)) {
        long pid = strtol(line, NULL, 10);
        if (pid <= 0)
            continue;
        if (list->count == list->room) {
            list->room = list->room ? list->room * 2 : 32;
            list->pids = xreallocarray(list->pids, list->room, sizeof *list->pids);
        }
        list->pids[list->count++] = (pid_t)pid;
    }
    /* A threaded directory cannot be read; its processes are those of the domain above it. */
    int why = ferror(procs) && !is_gone(errno) && errno != EOPNOTSUPP ? errno : 0;
    fclose(procs);
    errno = why;
    return why ? -1 : 0;
}

static int compare_pids(const void *a, const void *b)
{
    pid_t left = *(const pid_t *)a, right = *(const pid_t *)b;
    return (left > right) - (left < right);
}

static bool has_pid(const struct pid_list *list, pid_t pid)
{
    return list->count && bsearch(&pid, list->pids, list->count, sizeof pid, compare_pids);
}

static int list_members(const char *path, struct pid_list *out)
{
    struct pid_list list = {0};
    if (walk(path, 0, collect, &list) < 0) {
        int why = errno;
        free(list.pids);
        errno = why;
        return -1;
    }
    if (list.count)
        qsort(list.pids, list.count, sizeof *list.pids, compare_pids);
    free(out->pids);
    *out = list;
    return 0;
}

int cgroup_members(const char *path, pid_t **pids, struct error *err)
{
    struct pid_list list = {0};
    if (list_members(path, &list) < 0)
        return error_system(err, errno, "cannot list the processes of %s", path);
    if (pids)
        *pids = list.pids;
    else
        free(list.pids);
    return (int)list.count;
}

bool cgroup_populated(const char *path)
{
    AUTO_FREE char *name = file_join(path, "cgroup.events");
    AUTO_CLOSE int fd = open(name, O_RDONLY | O_CLOEXEC);
    char text[256];
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (got < 0)
        return !is_gone(errno);
    text[got] = '\0';
    return !strstr(text, "populated 0");
}

static int thaw(const char *path, void *context)
{
    (void)context;
    control(path, "cgroup.freeze", "0");
    return 0;
}

/* A pid may be another process's by the time it is signalled: so it is opened first, and signalled only when
 * a list read after that still has it. */
static int signal_once(const char *path, const struct pid_list *seen, int number, struct pid_list *now,
                       bool *found_new)
{
    enum { BATCH = 64 };
    struct pid_list before = {0};
    if (list_members(path, &before) < 0)
        return -1;
    *found_new = false;
    for (size_t at = 0; at < before.count; at += BATCH) {
        int handles[BATCH];
        size_t batch = before.count - at < BATCH ? before.count - at : BATCH;
        for (size_t i = 0; i < batch; i++)
            handles[i] = has_pid(seen, before.pids[at + i])
                             ? -1
                             : (int)syscall(SYS_pidfd_open, before.pids[at + i], 0);
        bool known = list_members(path, now) == 0;
        for (size_t i = 0; i < batch; i++) {
            if (handles[i] < 0)
                continue;
            if (known && has_pid(now, before.pids[at + i])) {
                *found_new = true;
                syscall(SYS_pidfd_send_signal, handles[i], number, NULL, 0);
                /* A stopped process acts on TERM only once it runs. */
                if (number == SIGTERM)
                    syscall(SYS_pidfd_send_signal, handles[i], SIGCONT, NULL, 0);
            }
            close(handles[i]);
        }
    }
    free(now->pids);
    *now = before;
    return 0;
}

static int signal_all(const char *path, int number, struct error *err)
{
    struct pid_list seen = {0}, now = {0};
    bool found_new = true;
    int result = 0;
    for (int round = 0; result == 0 && found_new && round < ROUNDS; round++) {
        result = signal_once(path, &seen, number, &now, &found_new);
        if (result < 0)
            error_system(err, errno, "cannot list the processes of %s", path);
        struct pid_list spare = seen;
        seen = now;
        now = spare;
    }
    free(seen.pids);
    free(now.pids);
    return result;
}

int cgroup_signal(const char *path, int number, struct error *err)
{
    walk(path, 0, thaw, NULL);
    return signal_all(path, number, err);
}

int cgroup_kill(const char *path, struct error *err)
{
    if (control(path, "cgroup.kill", "1") == 0 || !file_is_dir(path))
        return 0;
    if (errno != ENOENT)
        return error_system(err, errno, "cannot kill the processes of %s", path);
    return cgroup_kill_each(path, err);
}

static bool is_frozen(const char *path)
{
    AUTO_FREE char *name = file_join(path, "cgroup.events");
    AUTO_TEXT text = TEXT_INIT;
    return file_read(name, 4096, &text, NULL) < 0 || strstr(text_string(&text), "frozen 1");
}

int cgroup_kill_each(const char *path, struct error *err)
{
    /* Freezing takes a moment; where it does not come to an end the rounds below have to do. */
    if (control(path, "cgroup.freeze", "1") == 0)
        for (int left = 100; left && !is_frozen(path); left--)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    int result = signal_all(path, SIGKILL, err);
    walk(path, 0, thaw, NULL);
    return result;
}

static int remove_one(const char *path, void *context)
{
    (void)context;
    /* A directory counts as busy for a moment after the last process in it ended. */
    for (int left = 20;; left--) {
        if (rmdir(path) == 0 || is_gone(errno))
            return 0;
        if (errno != EBUSY || !left || cgroup_populated(path))
            return -1;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

int cgroup_remove(const char *path, struct error *err)
{
    if (walk(path, 0, remove_one, NULL) < 0)
        return error_system(err, errno, "cannot remove the cgroup %s", path);
    return 0;
}

int cgroup_enter(const char *path, pid_t pid, struct error *err)
{
    char text[16];
    snprintf(text, sizeof text, "%d", (int)pid);
    if (control(path, "cgroup.procs", text) < 0)
        return error_system(err, errno, "cannot put process %d into %s", (int)pid, path);
    return 0;
}

int64_t cgroup_cpu_usec(const char *path)
{
    AUTO_FREE char *name = file_join(path, "cpu.stat");
    AUTO_TEXT text = TEXT_INIT;
    if (file_read(name, 65536, &text, NULL) < 0)
        return -1;
    const char *at = strstr(text_string(&text), "usage_usec ");
    return at ? strtoll(at + strlen("usage_usec "), NULL, 10) : -1;
}
