#include "process/scope.h"

#include "base/deadline.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "process/cgroup.h"
#include "process/marked.h"
#include "process/offspring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long killing by marker goes on before what is left is said to be unkillable. */
#define MARKER_BOUND (2 * NS_PER_S)
/* How often a cgroup that does not get empty is killed again, and a marker looked for. */
#define AGAIN_NS        (100 * NS_PER_MS)
#define LOOK_MS         10
#define LONGEST_LOOK_MS 160

const char *scope_kind_name(enum scope_kind kind)
{
    return kind == SCOPE_CGROUP ? "cgroup" : "session";
}

/* Mount point of cgroup v2 and the path that stands there ("/" but for a mount of a part); false when there
 * is none. Source: proc(5), mountinfo. */
static bool find_mount(char **mount, char **part)
{
    FILE *table = fopen("/proc/self/mountinfo", "re");
    AUTO_FREE char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (table && !found && getline(&line, &room, table) > 0) {
        const char *type = strstr(line, " - cgroup2 ");
        char root[1024], point[1024];
        if (!type || sscanf(line, "%*d %*d %*s %1023s %1023s", root, point) != 2)
            continue;
        *part = xstrdup(root);
        *mount = xstrdup(point);
        found = true;
    }
    if (table)
        fclose(table);
    return found;
}

/* Directory of the cgroup this process is in, NULL when it lies outside the mount. */
static char *own_directory(const char *mount, const char *part)
{
    AUTO_TEXT text = TEXT_INIT;
    if (file_read("/proc/self/cgroup", 65536, &text, NULL) < 0)
        return NULL;
    const char *at =
        text_starts(text_string(&text), "0::/") ? text_string(&text) : strstr(text_string(&text), "\n0::/");
    if (!at)
        return NULL;
    at += *at == '\n' ? strlen("\n0::") : strlen("0::");
    AUTO_FREE char *own = xstrndup(at, strcspn(at, "\n"));
    size_t skip = text_is(part, "/") ? 0 : strlen(part);
    if (text_starts(own, "/..") || (skip && strncmp(own, part, skip) != 0))
        return NULL;
    char *path = xasprintf("%s%s", mount, own + skip);
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        path[--length] = '\0';
    return path;
}

/* Puts a child that ends at once into the directory. 0 or the errno of what went wrong. */
static int place_child(const char *directory)
{
    AUTO_FREE char *procs = file_join(directory, "cgroup.procs");
    AUTO_FREE char *kill_file = file_join(directory, "cgroup.kill");
    if (access(kill_file, W_OK) < 0 && (errno != ENOENT || !file_is_dir(directory)))
        return errno;
    AUTO_CLOSE int fd = open(procs, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(write(fd, "0", 1) == 1 ? 0 : errno);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

/* Whether a child can be put into a new directory below `root`: the only proof that covers every rule of
 * delegation. The directory has one name for all, so that what a killed process left goes with the next;
 * another may then remove it under our hands, which is tried again. */
static bool try_root(const char *root)
{
    AUTO_FREE char *probe = file_join(root, "probe");
    int why = ENOENT;
    for (int left = 10; left && (why == ENOENT || why == ENODEV); left--) {
        why = 0;
        if ((mkdir(root, 0755) < 0 && errno != EEXIST) || (mkdir(probe, 0755) < 0 && errno != EEXIST)) {
            why = errno;
            continue;
        }
        why = place_child(probe);
        cgroup_remove(probe, NULL);
    }
    if (why)
        rmdir(root);
    errno = why;
    return !why;
}

static char *find_root(char **reason)
{
    const char *refused = getenv("TRIPHASE_NO_CGROUP");
    if (refused && text_is(refused, "1")) {
        *reason = xstrdup("TRIPHASE_NO_CGROUP=1 is set");
        return NULL;
    }
    AUTO_FREE char *mount = NULL, *part = NULL;
    if (!find_mount(&mount, &part)) {
        *reason =
            xstrdup("no cgroup v2 is mounted (mount -t cgroup2 none /sys/fs/cgroup, or a newer systemd)");
        return NULL;
    }
    char *root = xasprintf("%s/triphase", mount);
    if (try_root(root))
        return root;
    int why = errno;
    free(root);
    /* An ordinary user: where the own cgroup was delegated, or the one above it when this
     * process sits in a leaf of that. */
    char *own = own_directory(mount, part);
    for (int up = 0; own && up < 2 && strlen(own) > strlen(mount); up++) {
        root = xasprintf("%s/triphase", own);
        if (try_root(root)) {
            free(own);
            return root;
        }
        free(root);
        *strrchr(own, '/') = '\0';
    }
    free(own);
    *reason = xasprintf(
        "no directory can be made and used below %s (%s); %s", mount, strerrordesc_np(why),
        why == EROFS
            ? "it is mounted read-only: start the container with a writable cgroup (--cgroupns=private and "
              "-v /sys/fs/cgroup:/sys/fs/cgroup:rw, or --privileged)"
            : "start it by systemd-run --user --scope -p Delegate=yes, or as root");
    return NULL;
}

const char *scope_root(const char **reason)
{
    static bool known;
    static char *root, *why_not;
    if (!known) {
        root = find_root(&why_not);
        known = true;
    }
    if (reason && !root)
        *reason = why_not;
    return root;
}

static bool is_safe_name(const char *name)
{
    return *name && *name != '/' && !text_starts(name, "../") && !strstr(name, "/../") &&
           !text_ends(name, "/..") && !text_is(name, "..") && !strchr(name, '\n');
}

int scope_open(const char *name, const char *marker, struct scope *out, struct error *err)
{
    if (!is_safe_name(name))
        return error_set(err, ERROR_SYSTEM, "'%s' is no name of a scope", name);
    const char *root = scope_root(NULL);
    if (root) {
        AUTO_FREE char *path = file_join(root, name);
        if (file_make_dirs(path, 0755, NULL) == 0 && scope_open_existing(path, out, NULL) == 0)
            return 0;
    }
    if (!marker || !strchr(marker, '='))
        return error_set(err, ERROR_SYSTEM, "the scope %s can have no cgroup and was given no marker", name);
    *out = (struct scope){.kind = SCOPE_MARKER, .marker = xstrdup(marker), .fd = -1};
    return 0;
}

int scope_open_existing(const char *path, struct scope *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_system(err, errno, "cannot open the scope %s", path);
    *out = (struct scope){.kind = SCOPE_CGROUP, .path = xstrdup(path), .fd = fd};
    return 0;
}

void scope_close(struct scope *scope)
{
    if (scope->path || scope->marker)
        fd_close(&scope->fd);
    free(scope->path);
    free(scope->marker);
    free(scope->kept);
    *scope = (struct scope){.kind = SCOPE_MARKER, .fd = -1};
}

void scope_take_orphans(struct scope *scope)
{
    if (scope->kind != SCOPE_MARKER)
        return;
    free(scope->kept);
    scope->kept_count = offspring_find(NULL, 0, &scope->kept);
    scope->takes_orphans = true;
}

/* Whom the marker names, and where orphans are taken whoever is below this process. */
static int find_marked(const struct scope *scope, pid_t **pids, struct error *err)
{
    if (!scope->takes_orphans && !scope->spared)
        return marked_find(scope->marker, pids, err);
    AUTO_FREE pid_t *marked = NULL, *below = NULL;
    int count = marked_find(scope->marker, &marked, err);
    int more =
        count < 0 || !scope->takes_orphans ? 0 : offspring_find(scope->kept, scope->kept_count, &below);
    if (count < 0)
        return -1;
    marked = xreallocarray(marked, (size_t)(count + more + 1), sizeof *marked);
    for (int i = 0, named = count; i < more; i++) {
        bool known = false;
        for (int k = 0; k < named && !known; k++)
            known = marked[k] == below[i];
        if (!known)
            marked[count++] = below[i];
    }
    for (int i = count; scope->spared && i-- > 0;)
        if (scope->spared(marked[i]))
            marked[i] = marked[--count];
    if (pids)
        *pids = TAKE(marked);
    return count;
}

int scope_members(const struct scope *scope, pid_t **pids, struct error *err)
{
    return scope->kind == SCOPE_CGROUP ? cgroup_members(scope->path, pids, err)
                                       : find_marked(scope, pids, err);
}

int scope_events_fd(const struct scope *scope)
{
    return scope->kind == SCOPE_CGROUP ? openat(scope->fd, "cgroup.events", O_RDONLY | O_CLOEXEC) : -1;
}

bool scope_populated(const struct scope *scope)
{
    /* Where it cannot be known it is not claimed to be empty; and one look through /proc can miss a process
     * that was forked behind it while its parent ended. */
    if (scope->kind == SCOPE_CGROUP)
        return cgroup_populated(scope->path);
    return find_marked(scope, NULL, NULL) != 0 || find_marked(scope, NULL, NULL) != 0;
}

/* To one process, unless it is another by now: opened first, then looked at again. */
static void signal_marked(const struct scope *scope, pid_t pid, int number)
{
    AUTO_CLOSE int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    if (handle < 0 || !(marked_with(pid, scope->marker) || (scope->takes_orphans && offspring_is(pid))))
        return;
    syscall(SYS_pidfd_send_signal, handle, number, NULL, 0);
    if (number == SIGTERM)
        syscall(SYS_pidfd_send_signal, handle, SIGCONT, NULL, 0);
}

/* How many were found and signalled. */
static int signal_all_marked(const struct scope *scope, int number, struct error *err)
{
    AUTO_FREE pid_t *pids = NULL;
    int count = find_marked(scope, &pids, err);
    for (int i = 0; i < count; i++)
        signal_marked(scope, pids[i], number);
    return count;
}

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

int scope_signal(const struct scope *scope, int number, struct error *err)
{
    if (scope->kind == SCOPE_CGROUP)
        return cgroup_signal(scope->path, number, err);
    /* Once: whoever forked meanwhile is met by the KILL that ends the grace. */
    return signal_all_marked(scope, number, err) < 0 ? -1 : 0;
}

/* " 12 (sh), 13 (sleep)" of at most eight members. */
static char *name_members(const struct scope *scope)
{
    AUTO_FREE pid_t *pids = NULL;
    int count = scope_members(scope, &pids, NULL);
    AUTO_TEXT out = TEXT_INIT;
    for (int i = 0; i < count && i < 8; i++) {
        AUTO_FREE char *path = xasprintf("/proc/%d/comm", (int)pids[i]);
        AUTO_TEXT name = TEXT_INIT;
        file_read(path, 64, &name, NULL);
        text_addf(&out, "%s %d (", i ? "," : "", (int)pids[i]);
        text_add_printable(&out, text_string(&name), strcspn(text_string(&name), "\n"));
        text_add(&out, ")");
    }
    if (count > 8)
        text_addf(&out, " and %d more", count - 8);
    return text_take(&out);
}

static int say_survivors(const struct scope *scope, struct error *err)
{
    AUTO_FREE char *names = name_members(scope);
    return error_set(err, ERROR_DEADLINE, "processes of the scope %s could not be ended:%s",
                     scope->kind == SCOPE_CGROUP ? scope->path : scope->marker,
                     *names ? names : " none can be named");
}

static int kill_marked(const struct scope *scope, int64_t bound_ns, struct error *err)
{
    struct deadline deadline = deadline_in(bound_ns);
    /* One look can miss a process, as in scope_populated; on a busy machine, where a number is given anew
     * soon, two did. */
    enum { LOOKS = 3 };
    for (int empty = 0, pause = LOOK_MS; empty < LOOKS; pause = pause < LONGEST_LOOK_MS ? pause * 2 : pause) {
        int count = signal_all_marked(scope, SIGKILL, err);
        if (count < 0)
            return -1;
        empty = count ? 0 : empty + 1;
        if (count && deadline_over(deadline))
            return say_survivors(scope, err);
        if (empty < LOOKS)
            sleep_ms(count ? pause : 2);
    }
    return 0;
}

int scope_kill(const struct scope *scope, struct error *err)
{
    return scope->kind == SCOPE_CGROUP ? cgroup_kill(scope->path, err)
                                       : kill_marked(scope, MARKER_BOUND, err);
}

int scope_end(const struct scope *scope, int64_t bound_ns, struct error *err)
{
    if (scope->kind == SCOPE_MARKER)
        return kill_marked(scope, bound_ns, err);
    struct deadline deadline = deadline_in(bound_ns);
    AUTO_CLOSE int events = scope_events_fd(scope);
    for (;;) {
        if (cgroup_kill(scope->path, err) < 0)
            return -1;
        for (struct deadline again = deadline_in(AGAIN_NS); !deadline_over(again);) {
            /* Read first, then looked at, then waited for: a change in between shows as an event. */
            char first;
            ssize_t ignored = pread(events, &first, 1, 0);
            (void)ignored;
            if (!cgroup_populated(scope->path))
                return 0;
            if (deadline_over(deadline))
                return say_survivors(scope, err);
            struct pollfd look = {.fd = events, .events = POLLPRI};
            poll(&look, 1, LOOK_MS);
        }
    }
}

int scope_remove(const struct scope *scope, struct error *err)
{
    return scope->kind == SCOPE_CGROUP ? cgroup_remove(scope->path, err) : 0;
}

int scope_move(struct scope *from, const struct scope *to, bool (*wanted)(pid_t), struct error *err)
{
    if (from->kind == SCOPE_MARKER)
        from->spared = wanted;
    if (from->kind != SCOPE_CGROUP || to->kind != SCOPE_CGROUP)
        return 0;
    int moved = 0;
    /* Again until none is found: a process that forked before it was moved left a child behind. */
    for (int round = 0, found = 1; found && round < 8; round++) {
        AUTO_FREE pid_t *pids = NULL;
        int count = cgroup_members(from->path, &pids, err);
        if (count < 0)
            return -1;
        found = 0;
        for (int i = 0; i < count; i++) {
            if (!wanted(pids[i]))
                continue;
            if (cgroup_enter(to->path, pids[i], err) == 0)
                found++;
            else if (errno != ESRCH)
                return -1;
        }
        moved += found;
    }
    return moved;
}

int scope_adopt(const struct scope *scope, pid_t pid, struct error *err)
{
    if (scope->kind != SCOPE_CGROUP)
        return error_set(err, ERROR_MISSING, "process %d cannot be moved: the scope is no cgroup", (int)pid);
    return cgroup_enter(scope->path, pid, err);
}

int64_t scope_cpu_usec(const struct scope *scope)
{
    return scope->kind == SCOPE_CGROUP ? cgroup_cpu_usec(scope->path) : -1;
}
