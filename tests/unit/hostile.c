#include "unit/hostile.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "process/marked.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/triphase-unit-XXXXXX";
static bool has_folder;
static struct scope scopes[8];
static size_t scope_count;

const char *hostile_folder(void)
{
    if (!has_folder)
        cr_assert_not_null(mkdtemp(folder));
    has_folder = true;
    return folder;
}

char *hostile_path(const char *name)
{
    return file_join(hostile_folder(), name);
}

void hostile_clean(void)
{
    for (size_t i = 0; i < scope_count; i++) {
        scope_end(&scopes[i], 5 * NS_PER_S, NULL);
        scope_remove(&scopes[i], NULL);
        scope_close(&scopes[i]);
    }
    scope_count = 0;
    if (has_folder)
        file_remove_tree(folder, NULL);
    has_folder = false;
}

/* A broken search for markers would have a test end every process of the machine: one that
 * nobody carries must find none. */
static void check_search(const char *marker)
{
    cr_assert_eq(marked_find(marker, NULL, NULL), 0,
                 "processes carry %s, which nobody can: nothing will be ended", marker);
    cr_assert_not(marked_with(getppid(), marker));
}

struct scope *hostile_marked(const char *marker)
{
    check_search(marker);
    cr_assert_lt(scope_count, COUNT_OF(scopes));
    struct scope *scope = &scopes[scope_count++];
    *scope = (struct scope){.kind = SCOPE_MARKER, .marker = xstrdup(marker), .fd = -1};
    return scope;
}

struct scope *hostile_scope(enum scope_kind kind)
{
    AUTO_ERROR err = ERROR_INIT;
    /* A pid alone is not unique: another suite may run in a PID namespace of its own. */
    AUTO_FREE char *name = xasprintf("test-%d-%llx", (int)getpid(), (unsigned long long)moment_monotonic());
    AUTO_FREE char *marker = xasprintf("TRIPHASE_STEP=%s", name);
    if (kind == SCOPE_MARKER)
        return hostile_marked(marker);
    const char *why = "";
    if (!scope_root(&why))
        cr_skip_test("no cgroup: %s", why);
    cr_assert_lt(scope_count, COUNT_OF(scopes));
    struct scope *scope = &scopes[scope_count];
    cr_assert_eq(scope_open(name, marker, scope, &err), 0, "%s", error_text(&err));
    cr_assert_eq(scope->kind, SCOPE_CGROUP);
    scope_count++;
    return scope;
}

struct child hostile_start(const struct scope *scope, const char *script)
{
    AUTO_ERROR err = ERROR_INIT;
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    AUTO_CLOSE int from = ends[0];
    AUTO_CLOSE int to = fcntl(ends[1], F_DUPFD, 20);
    close(ends[1]);
    AUTO_FREE char *whole = xasprintf("exec 9>&1; exec >/dev/null; %s", script);
    const char *const argv[] = {"/bin/bash", "-c", whole, NULL};
    AUTO_WORDS environment = WORDS_INIT;
    words_add_list(&environment, (const char *const *)environ);
    if (scope && scope->marker)
        words_add(&environment, scope->marker);
    struct child_plan plan = {.argv = argv,
                              .environment = words_argv(&environment),
                              .in = -1,
                              .out = to,
                              .error = 2,
                              .scope = scope,
                              .die_with_parent = true};
    struct child child = CHILD_INIT;
    cr_assert_eq(child_start(&plan, &child, &err), 0, "%s", error_text(&err));
    fd_close(&to);
    struct pollfd look = {.fd = from, .events = POLLIN};
    char said[16];
    cr_assert_eq(poll(&look, 1, 10000), 1, "the child did not say that it is ready: %s", script);
    cr_assert_gt(read(from, said, sizeof said), 0, "the child ended before it was ready: %s", script);
    return child;
}

struct child_end hostile_end(struct child *child)
{
    AUTO_ERROR err = ERROR_INIT;
    struct child_end end = {0};
    struct pollfd look = {.fd = child->pidfd, .events = POLLIN};
    cr_assert_eq(poll(&look, 1, 10000), 1, "process %d did not end", (int)child->pid);
    cr_assert_eq(child_poll(child, &end, &err), 1, "%s", error_text(&err));
    child_close(child);
    return end;
}

bool hostile_wait(bool (*look)(const void *context), const void *context, int bound_ms)
{
    for (int64_t until = moment_monotonic() + bound_ms * NS_PER_MS;;) {
        if (look(context))
            return true;
        if (moment_monotonic() >= until)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

bool hostile_is_empty(const void *scope)
{
    return !scope_populated(scope);
}

static char state_of(pid_t pid)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/stat", (int)pid);
    AUTO_TEXT line = TEXT_INIT;
    const char *at = file_read(path, 4096, &line, NULL) == 0 ? strrchr(text_string(&line), ')') : NULL;
    return at && at[1] ? at[2] : 'X';
}

bool hostile_is_gone(const void *pid)
{
    char state = state_of(*(const pid_t *)pid);
    return state == 'X' || state == 'Z';
}

bool hostile_is_stopped(const void *pid)
{
    return state_of(*(const pid_t *)pid) == 'T';
}

bool hostile_is_asleep(const void *pid)
{
    return state_of(*(const pid_t *)pid) == 'S';
}

int hostile_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    cr_assert_not_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 3; /* . and .. and the folder itself */
}

/* `answer`: what the filter says to the call; everything else is let through. The descriptor of the
 * filter, where it has one. */
static int filter(int call, unsigned answer, unsigned flags)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = COUNT_OF(code), .filter = code};
    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (fd < 0)
        cr_skip_test("no seccomp filter to be had here: %s", strerror(errno));
    return fd;
}

void hostile_deny(int call, int number)
{
    filter(call, SECCOMP_RET_ERRNO | (unsigned)number, 0);
}

int hostile_hold(int call)
{
    return filter(call, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

bool hostile_let(int holder, int bound_ms)
{
    struct pollfd held = {.fd = holder, .events = POLLIN};
    struct seccomp_notif call = {0};
    if (poll(&held, 1, bound_ms) != 1 || ioctl(holder, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
        return false;
    struct seccomp_notif_resp answer = {.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    return ioctl(holder, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0;
}

bool hostile_is_instrumented(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return true;
#else
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && (strstr(preloaded, "valgrind") || strstr(preloaded, "vgpreload"));
#endif
}
