#include "sandbox/boot.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "config/marks.h"
#include "process/child.h"
#include "process/scope.h"
#include "sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* With --keep-unit nspawn exits with this code when its guest rebooted. */
#define KEEPER "while :; do \"$@\"; [ $? -eq 133 ] || exit; done"
/* What nspawn sends to the guest's init to halt it (systemd(1)). */
#define HALT (SIGRTMIN + 3)

enum { SMALL_FILE = 65536, TABLE_MOST = 1 << 20, HALT_EVERY_MS = 250, CGROUP_DEPTH = 32 };

static int open_scope(const char *machine_id, struct scope *out, struct error *err)
{
    AUTO_FREE char *name = marks_machine_scope(machine_id), *marker = marks_machine(machine_id);
    return scope_open(name, marker, out, err);
}

/* An empty scope made anew: into a cgroup that was ever killed, Linux lets nobody be born (seen on 6.18: the
 * child of clone3(CLONE_INTO_CGROUP) is killed before its first instruction). */
static int open_fresh_scope(const char *machine_id, struct scope *out, struct error *err)
{
    if (open_scope(machine_id, out, err) < 0)
        return -1;
    if (out->kind != SCOPE_CGROUP || scope_populated(out))
        return 0;
    int removed = scope_remove(out, err);
    scope_close(out);
    return removed < 0 ? -1 : open_scope(machine_id, out, err);
}

int boot_start(const struct sandbox_owner *owner, struct error *err)
{
    AUTO_FREE char *root = mounts_root(owner->name);
    AUTO_FREE char *console = file_join(owner->directory, "console.log");
    AUTO_FREE char *namespace = xasprintf("--network-namespace-path=/run/netns/%s", owner->name);
    AUTO_CLOSE int log = file_create(console, O_WRONLY | O_APPEND, 0600);
    if (log < 0)
        return error_system(err, errno, "cannot open the guest's console log %s", console);
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, "/bin/sh", "-c", KEEPER, "triphase-sandbox", "systemd-nspawn", "--quiet",
                  "--register=no", "--keep-unit", "--machine", owner->name, "--directory", root, namespace,
                  "--capability=CAP_NET_ADMIN", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
                  "--boot", NULL);
    if (access("/dev/net/tun", F_OK) == 0)
        words_add(&argv, "--bind=/dev/net/tun");

    AUTO_WORDS environment = WORDS_INIT;
    AUTO_FREE char *marker = marks_machine(owner->machine);
    words_add(&environment, marker);
    words_add_all(&environment, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                  "LANG=C.UTF-8",
                  /* /proc/sys/net of the guest's own namespace is its to write: Docker's daemon wants it. */
                  "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network", NULL);

    struct scope scope;
    if (open_fresh_scope(owner->machine, &scope, err) < 0)
        return -1;
    /* nspawn since 256 refuses to start over the mount that a killed one left. */
    boot_clean(owner->machine, owner->name);
    struct child_plan plan = {.argv = words_argv(&argv),
                              .environment = words_argv(&environment),
                              .directory = "/",
                              .in = -1,
                              .out = log,
                              .error = log,
                              .scope = &scope};
    struct child child = CHILD_INIT;
    int result = child_start(&plan, &child, err);
    child_close(&child);
    scope_close(&scope);
    return result < 0 ? error_prefix(err, "cannot start the sandbox %s", owner->name) : 0;
}

/* How many PID namespaces deep a process is, counted from here (1: not in the guest), its pid in the
 * innermost in `inner`; 0 when it is gone. */
static int depth_of(pid_t pid, int *inner)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    AUTO_TEXT status = TEXT_INIT;
    if (file_read(path, SMALL_FILE, &status, NULL) < 0)
        return 0;
    const char *at = strstr(text_string(&status), "\nNSpid:");
    if (!at)
        return 1;
    at += strlen("\nNSpid:");
    int depth = 0;
    for (int length; *at != '\n' && sscanf(at, "%d%n", inner, &length) == 1; at += length)
        depth++;
    return depth;
}

/* A table of /proc/PID/net: port and state of each socket. */
static bool table_has_listener(pid_t pid, const char *table, int port)
{
    enum { LISTENING = 0x0a }; /* TCP_LISTEN */
    AUTO_FREE char *path = xasprintf("/proc/%d/net/%s", (int)pid, table);
    AUTO_TEXT content = TEXT_INIT;
    if (file_read(path, TABLE_MOST, &content, NULL) < 0)
        return false;
    char *rest = content.bytes;
    for (const char *line; rest && (line = strsep(&rest, "\n"));) {
        unsigned local, state;
        if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &local, &state) == 2 &&
            local == (unsigned)port && state == LISTENING)
            return true;
    }
    return false;
}

int boot_listens(const char *machine_id, const char *name, int port)
{
    AUTO_FREE char *namespace = xasprintf("/run/netns/%s", name);
    AUTO_FREE pid_t *pids = NULL;
    struct scope scope = {.fd = -1};
    struct stat wanted;
    if (stat(namespace, &wanted) < 0 || open_scope(machine_id, &scope, NULL) < 0)
        return -1;
    /* The mark in the environment does not reach the guest's own processes. */
    int listens = scope.kind == SCOPE_CGROUP ? 0 : -1;
    int count = listens < 0 ? 0 : scope_members(&scope, &pids, NULL);
    scope_close(&scope);
    for (int i = 0; i < count && !listens; i++) {
        AUTO_FREE char *path = xasprintf("/proc/%d/ns/net", (int)pids[i]);
        struct stat is;
        if (stat(path, &is) == 0 && is.st_ino == wanted.st_ino && is.st_dev == wanted.st_dev)
            listens = table_has_listener(pids[i], "tcp", port) || table_has_listener(pids[i], "tcp6", port);
    }
    return listens;
}

static bool is_nspawn(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    AUTO_TEXT name = TEXT_INIT;
    return file_read(path, 64, &name, NULL) == 0 && text_is(text_string(&name), "systemd-nspawn\n");
}

bool boot_runs(const char *machine_id)
{
    struct scope scope;
    if (!machine_id || open_scope(machine_id, &scope, NULL) < 0)
        return false;
    int members = scope_members(&scope, NULL, NULL);
    scope_close(&scope);
    return members > 0;
}

/* One round of asking: the keeper is ended at the first, so that nothing starts the guest again, nspawn is
 * told once, the guest's init each time (early in its boot it does not listen yet). */
static void ask_to_halt(const struct scope *scope, bool first)
{
    AUTO_FREE pid_t *pids = NULL;
    int count = scope_members(scope, &pids, NULL);
    for (int i = 0; i < count; i++) {
        int inner = 0, depth = depth_of(pids[i], &inner);
        if (depth == 1 && first)
            kill(pids[i], is_nspawn(pids[i]) ? SIGTERM : SIGKILL);
        else if (depth == 2 && inner == 1 && !first)
            kill(pids[i], HALT);
    }
}

int boot_stop(const char *machine_id, const char *name, int64_t grace_ns, struct deadline deadline,
              struct error *err)
{
    struct scope scope;
    if (!machine_id)
        return 0;
    if (open_scope(machine_id, &scope, err) < 0)
        return -1;
    struct deadline grace = deadline_in(grace_ns);
    AUTO_CLOSE int events = scope_events_fd(&scope);
    for (bool first = true; scope_populated(&scope) && !deadline_over(grace); first = false) {
        ask_to_halt(&scope, first);
        struct pollfd one = {.fd = events, .events = POLLPRI};
        struct deadline round = deadline_earlier(grace, deadline_in(HALT_EVERY_MS * NS_PER_MS));
        while (scope_populated(&scope) && !deadline_over(round))
            deadline_poll(&one, events >= 0, events >= 0 ? round : deadline_in(10 * NS_PER_MS));
    }
    int64_t left = deadline_left(deadline);
    int result = scope_populated(&scope) ? scope_end(&scope, left > NS_PER_S ? left : NS_PER_S, err) : 0;
    if (result == 0)
        result = scope_remove(&scope, err);
    scope_close(&scope);
    boot_clean(machine_id, name);
    return result;
}

/* rmdir, depth first. */
static void remove_folders(const char *path, int depth)
{
    AUTO_WORDS names = WORDS_INIT;
    if (rmdir(path) == 0 || depth > CGROUP_DEPTH || file_list(path, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *below = file_join(path, names.items[i]);
        struct stat state;
        if (lstat(below, &state) == 0 && S_ISDIR(state.st_mode))
            remove_folders(below, depth + 1);
    }
    rmdir(path);
}

/* Folders that nspawn mirrors from the scope's cgroup into the cgroup v1 hierarchy of systemd, and its
 * own of the machine's name. */
static void stray_folders(const char *machine_id, const char *name, struct words *out)
{
    AUTO_TEXT mounts = TEXT_INIT;
    words_addf(out, "/run/systemd/nspawn/propagate/%s", name);
    words_addf(out, "/run/systemd/nspawn/unix-export/%s", name);
    const char *root = scope_root(NULL);
    if (!machine_id || !root || file_read("/proc/self/mounts", 16 << 20, &mounts, NULL) < 0)
        return;
    /* The scope's path within its hierarchy: what follows the mount point of the cgroup2 file system. */
    AUTO_WORDS old = WORDS_INIT;
    const char *inside = NULL;
    char *state = NULL;
    for (char *line = strtok_r(mounts.bytes, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        char *inner = NULL;
        strtok_r(line, " ", &inner);
        const char *at = strtok_r(NULL, " ", &inner);
        const char *kind = at ? strtok_r(NULL, " ", &inner) : NULL;
        if (!at || !kind)
            continue;
        if (text_is(kind, "cgroup"))
            words_add(&old, at);
        else if (text_is(kind, "cgroup2") && text_starts(root, at))
            inside = root + strlen(at);
    }
    AUTO_FREE char *scope = marks_machine_scope(machine_id);
    for (size_t i = 0; inside && i < old.count; i++)
        words_addf(out, "%s%s/%s", old.items[i], inside, scope);
}

void boot_clean(const char *machine_id, const char *name)
{
    AUTO_WORDS folders = WORDS_INIT;
    stray_folders(machine_id, name, &folders);
    for (size_t i = 0; i < folders.count; i++) {
        /* Newer ones mount a tmpfs there, which stays when nspawn was killed. */
        if (text_starts(folders.items[i], "/run/systemd/nspawn/"))
            umount2(folders.items[i], MNT_DETACH | UMOUNT_NOFOLLOW);
        remove_folders(folders.items[i], 0);
        /* The folder above holds the scopes of all machines; the last one takes it along. */
        char *slash = strrchr(folders.items[i], '/');
        if (text_starts(slash, "/machine-")) {
            *slash = '\0';
            rmdir(folders.items[i]);
        }
    }
}

int boot_left(const char *machine_id, const char *name, struct words *left, struct error *err)
{
    AUTO_WORDS folders = WORDS_INIT;
    struct scope scope;
    if (machine_id) {
        if (open_scope(machine_id, &scope, err) < 0)
            return -1;
        int members = scope_members(&scope, NULL, err);
        if (members == 0)
            scope_remove(&scope, NULL);
        scope_close(&scope);
        if (members < 0)
            return -1;
        AUTO_FREE char *scope_name = marks_machine_scope(machine_id);
        if (members > 0)
            words_addf(left, "%d processes in the scope %s", members, scope_name);
    }
    stray_folders(machine_id, name, &folders);
    for (size_t i = 0; i < folders.count; i++)
        if (file_exists(folders.items[i]))
            words_addf(left, "folder %s", folders.items[i]);
    return 0;
}
