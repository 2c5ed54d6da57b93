/* The guard: a worker that dies leaves nothing running, and its lock is not free before that; a run that
 * ended in order is left alone. */
#include "process/guard.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "process/lock.h"
#include "unit/hostile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(guard, .timeout = 60, .fini = hostile_clean);

static const struct lock_owner owner = {.run = "a-run", .pid = 1, .start = 1, .boot = "a-boot"};

/* A worker in a process of its own, so that it can be killed. */
struct worker {
    pid_t pid, guard;
    struct scope *scope;
    char *lock;
};

#define AUTO_WORKER __attribute__((cleanup(worker_end))) struct worker

static void worker_end(struct worker *worker)
{
    kill(worker->pid, SIGKILL);
    waitpid(worker->pid, NULL, 0);
    hostile_wait(hostile_is_gone, &worker->guard, 5000);
    free(worker->lock);
}

static _Noreturn void be_worker(const struct worker *worker, const char *script, int ready)
{
    int fd = -1;
    struct child guard;
    AUTO_ERROR err = ERROR_INIT;
    /* A terminal's and a pipe's ends, which a guard must not hold. */
    int pipes[2];
    if (pipe(pipes) < 0 || lock_take(worker->lock, &owner, &fd, &err) < 0 ||
        guard_start(worker->scope, NULL, fd, &guard, &err) < 0)
        _exit(1);
    const char *const argv[] = {"bash", "-c", script, NULL};
    AUTO_WORDS environment = WORDS_INIT;
    words_add_list(&environment, (const char *const *)environ);
    if (worker->scope->marker)
        words_add(&environment, worker->scope->marker);
    struct child child;
    struct child_plan plan = {.argv = argv,
                              .environment = words_argv(&environment),
                              .in = -1,
                              .out = ready,
                              .error = -1,
                              .scope = worker->scope};
    if (child_start(&plan, &child, &err) < 0)
        _exit(2);
    dprintf(ready, "%d\n", (int)guard.pid);
    for (;;)
        pause();
}

/* Starts a worker with its guard, its lock, and a script in its scope that writes "ready" to stdout. */
static struct worker worker_start(enum scope_kind kind, const char *script)
{
    struct worker worker = {.scope = hostile_scope(kind), .lock = hostile_path("lock")};
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    worker.pid = fork();
    cr_assert_geq(worker.pid, 0);
    if (worker.pid == 0)
        be_worker(&worker, script, ends[1]);
    close(ends[1]);
    AUTO_TEXT said = TEXT_INIT;
    while (!strstr(text_string(&said), "ready") || !strpbrk(text_string(&said), "123456789")) {
        char block[64];
        struct pollfd look = {.fd = ends[0], .events = POLLIN};
        cr_assert_eq(poll(&look, 1, 10000), 1, "the worker said only '%s'", text_string(&said));
        ssize_t got = read(ends[0], block, sizeof block);
        cr_assert_gt(got, 0, "the worker ended: '%s'", text_string(&said));
        text_add_bytes(&said, block, (size_t)got);
    }
    close(ends[0]);
    worker.guard = (pid_t)strtol(strpbrk(text_string(&said), "123456789"), NULL, 10);
    cr_assert_not(hostile_is_gone(&worker.guard));
    return worker;
}

static bool is_locked(const char *path)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
}

#define SLEEPERS                                                                                            \
    "trap '' TERM; sleep 1000 & setsid sleep 1000 & sh -c 'kill -STOP $$' & echo ready; while :; do sleep " \
    "1; done"

static void check_worker_killed(enum scope_kind kind)
{
    AUTO_WORKER worker = worker_start(kind, SLEEPERS);
    cr_expect(scope_populated(worker.scope));
    int64_t begin = moment_monotonic();
    kill(worker.pid, SIGKILL);
    cr_expect(hostile_wait(hostile_is_empty, worker.scope, hostile_is_instrumented() ? 5000 : 1000),
              "the scope is not empty in time");
    cr_expect(hostile_wait(hostile_is_gone, &worker.guard, 2000), "the guard stays");
    cr_expect_not(is_locked(worker.lock), "the lock stays");
    if (kind == SCOPE_CGROUP)
        cr_expect_not(file_exists(worker.scope->path), "the empty scope stays");
    cr_expect_lt(moment_monotonic() - begin, 10 * NS_PER_S);
}

Test(guard, worker_killed_empties_the_cgroup_and_frees_the_lock)
{
    check_worker_killed(SCOPE_CGROUP);
}

Test(guard, worker_killed_ends_all_that_carry_the_marker_and_frees_the_lock)
{
    check_worker_killed(SCOPE_MARKER);
}

Test(guard, nested_scopes_of_steps_are_ended_too)
{
    struct worker plain = {.scope = hostile_scope(SCOPE_CGROUP)};
    AUTO_FREE char *step = file_join(plain.scope->path, "01");
    AUTO_FREE char *deeper = file_join(step, "deeper");
    cr_assert_eq(mkdir(step, 0755), 0);
    cr_assert_eq(mkdir(deeper, 0755), 0);
    struct scope below;
    cr_assert_eq(scope_open_existing(deeper, &below, NULL), 0);
    struct child child = hostile_start(&below, "trap '' TERM; echo ready >&9; while :; do sleep 1; done");
    pid_t worker = fork();
    if (worker == 0) {
        struct child guard;
        if (guard_start(plain.scope, NULL, -1, &guard, NULL) < 0)
            _exit(1);
        _exit(0); /* dies at once: the guard may not even have looked yet */
    }
    waitpid(worker, NULL, 0);
    cr_expect_eq(hostile_end(&child).signal, SIGKILL);
    cr_expect(hostile_wait(hostile_is_empty, plain.scope, 2000));
    for (int i = 0; i < 1000 && file_exists(plain.scope->path); i++)
        usleep(2000);
    cr_expect_not(file_exists(plain.scope->path));
    scope_close(&below);
}

Test(guard, lock_is_held_until_worker_and_guard_are_both_gone)
{
    AUTO_WORKER worker = worker_start(SCOPE_CGROUP, SLEEPERS);
    cr_expect(is_locked(worker.lock));
    kill(worker.guard, SIGKILL);
    cr_assert(hostile_wait(hostile_is_gone, &worker.guard, 5000));
    cr_expect(is_locked(worker.lock), "the worker still has it");
    kill(worker.pid, SIGKILL);
    waitpid(worker.pid, NULL, 0);
    cr_expect_not(is_locked(worker.lock), "nobody has it, children did not inherit it");
    cr_expect(scope_populated(worker.scope), "both killed: what is left is for the next acting command");
}

Test(guard, lock_is_held_by_the_guard_alone_while_something_lives)
{
    /* A frozen guard stands for one that has not finished. */
    AUTO_WORKER worker = worker_start(SCOPE_CGROUP, SLEEPERS);
    kill(worker.guard, SIGSTOP);
    cr_assert(hostile_wait(hostile_is_stopped, &worker.guard, 5000));
    kill(worker.pid, SIGKILL);
    waitpid(worker.pid, NULL, 0);
    cr_expect(is_locked(worker.lock));
    cr_expect(scope_populated(worker.scope));
    kill(worker.guard, SIGCONT);
    cr_expect(hostile_wait(hostile_is_empty, worker.scope, 5000));
    cr_expect(hostile_wait(hostile_is_gone, &worker.guard, 2000));
    cr_expect_not(is_locked(worker.lock));
}

Test(guard, survives_polite_signals_and_holds_nothing_of_the_worker)
{
    AUTO_WORKER worker = worker_start(SCOPE_CGROUP, SLEEPERS);
    kill(worker.guard, SIGTERM);
    kill(worker.guard, SIGINT);
    kill(worker.guard, SIGHUP);
    kill(worker.guard, SIGPIPE);
    AUTO_FREE char *folder = xasprintf("/proc/%d/fd", (int)worker.guard);
    AUTO_FREE char *stat = xasprintf("/proc/%d/stat", (int)worker.guard);
    AUTO_WORDS fds = WORDS_INIT;
    AUTO_TEXT line = TEXT_INIT;
    /* 0-2, lock, signalfd, pidfd. */
    for (int i = 0; i < 1000; i++) {
        words_clear(&fds);
        cr_assert_eq(file_list(folder, &fds, NULL), 0);
        AUTO_FREE char *null = xasprintf("%s/0", folder);
        char where[256] = "";
        ssize_t length = readlink(null, where, sizeof where - 1);
        if (fds.count == 6 && length > 0 && text_is(where, "/dev/null"))
            break;
        usleep(2000);
    }
    cr_expect_eq(fds.count, 6);
    for (size_t i = 0; i < fds.count; i++) {
        AUTO_FREE char *path = file_join(folder, fds.items[i]);
        char where[256] = "";
        cr_assert_gt(readlink(path, where, sizeof where - 1), 0);
        cr_expect(text_is(where, "/dev/null") || text_starts(where, "anon_inode:") ||
                      text_is(where, worker.lock),
                  "it holds %s", where);
    }
    cr_assert_eq(file_read(stat, 4096, &line, NULL), 0);
    int pid, group, session;
    cr_assert_eq(sscanf(text_string(&line), "%d (triphase-guard) %*c %*d %d %d", &pid, &group, &session), 3,
                 "%s", text_string(&line));
    cr_expect(session == pid && group == pid, "it has a session of its own");
    kill(worker.pid, SIGKILL);
    cr_expect(hostile_wait(hostile_is_empty, worker.scope, 5000), "it did not survive them");
}

Test(guard, has_little_memory_of_its_own)
{
    if (hostile_is_instrumented())
        cr_skip_test("sanitizers have memory of their own");
    AUTO_WORKER worker = worker_start(SCOPE_CGROUP, SLEEPERS);
    AUTO_FREE char *path = xasprintf("/proc/%d/smaps_rollup", (int)worker.guard);
    AUTO_TEXT text = TEXT_INIT;
    cr_assert_eq(file_read(path, 65536, &text, NULL), 0);
    const char *dirty = strstr(text_string(&text), "Private_Dirty:");
    cr_assert_not_null(dirty);
    cr_expect_lt(strtol(dirty + strlen("Private_Dirty:"), NULL, 10), 512, "%s", text_string(&text));
}

static void check_dismissed(enum scope_kind kind, int signal_before)
{
    struct scope *scope = hostile_scope(kind);
    AUTO_FREE char *path = hostile_path("lock");
    AUTO_ERROR err = ERROR_INIT;
    int fd;
    struct child guard;
    cr_assert_eq(lock_take(path, &owner, &fd, &err), 0, "%s", error_text(&err));
    cr_assert_eq(guard_start(scope, NULL, fd, &guard, &err), 0, "%s", error_text(&err));
    struct child child = hostile_start(scope, "echo ready >&9; exec sleep 1000");
    pid_t pid = guard.pid;
    if (signal_before)
        child_signal(&guard, signal_before);
    int64_t begin = moment_monotonic();
    cr_expect_eq(guard_dismiss(&guard, &err), 0, "%s", error_text(&err));
    cr_expect_lt(moment_monotonic() - begin, NS_PER_S);
    cr_expect_eq(guard.pidfd, -1);
    cr_expect_eq(kill(pid, 0), -1, "it is reaped");
    cr_expect_not(hostile_is_gone(&child.pid), "a member was ended");
    cr_expect(is_locked(path), "the worker keeps its lock");
    close(fd);
    cr_expect_not(is_locked(path));
    child_signal(&child, SIGKILL);
    hostile_end(&child);
}

Test(guard, dismissed_one_leaves_the_scope_alone)
{
    check_dismissed(SCOPE_CGROUP, 0);
    check_dismissed(SCOPE_MARKER, 0);
}

Test(guard, stopped_one_can_be_dismissed)
{
    check_dismissed(SCOPE_CGROUP, SIGSTOP);
}

Test(guard, killed_one_can_be_dismissed_and_is_seen_at_once)
{
    check_dismissed(SCOPE_CGROUP, SIGKILL);
    struct child guard;
    cr_assert_eq(guard_start(hostile_scope(SCOPE_CGROUP), NULL, -1, &guard, NULL), 0);
    child_signal(&guard, SIGKILL);
    struct pollfd look = {.fd = guard.pidfd, .events = POLLIN};
    cr_expect_eq(poll(&look, 1, 2000), 1, "its pidfd tells");
    cr_expect_eq(hostile_end(&guard).signal, SIGKILL);
}

Test(guard, starting_and_dismissing_leaks_no_descriptor)
{
    struct scope *scope = hostile_scope(SCOPE_CGROUP);
    int before = hostile_descriptors();
    for (int i = 0; i < 5; i++) {
        struct child guard;
        cr_assert_eq(guard_start(scope, NULL, -1, &guard, NULL), 0);
        cr_assert_eq(guard_dismiss(&guard, NULL), 0);
    }
    cr_expect_eq(hostile_descriptors(), before);
}

static bool is_absent(const void *path)
{
    return !file_exists(path);
}

Test(guard, a_folder_given_to_it_goes_with_the_scope)
{
    struct scope *scope = hostile_scope(SCOPE_CGROUP);
    AUTO_FREE char *folder = hostile_path("folder");
    AUTO_FREE char *inside = file_join(folder, "file");
    cr_assert_eq(file_make_dirs(folder, 0700, NULL), 0);
    cr_assert_eq(file_replace(inside, "x", 1, 0600, NULL), 0);
    pid_t worker = fork();
    if (worker == 0) {
        struct child guard;
        _exit(guard_start(scope, folder, -1, &guard, NULL) < 0);
    }
    int status;
    cr_assert_eq(waitpid(worker, &status, 0), worker);
    cr_assert_eq(status, 0);
    cr_expect(hostile_wait(is_absent, folder, 5000), "it is still there");
}
