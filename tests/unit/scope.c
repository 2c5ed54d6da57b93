/* Scopes: whatever its processes do, the set can be counted, signalled, ended and shown to be empty; and
 * nothing else is touched. */
#include "process/scope.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "process/cgroup.h"
#include "process/marked.h"
#include "unit/hostile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(scope, .timeout = 60, .fini = hostile_clean);

/* Each starts processes that are hard to end, and says so when they are all there. */
static const char *const hostile[] = {
    "trap '' TERM INT HUP QUIT; echo ready >&9; while :; do sleep 1; done",
    "(setsid sh -c 'trap \"\" TERM; setsid sleep 1000 & echo ready >&9; while :; do sleep 1; done' &) ; exit "
    "0",
    "sleep 1000 & echo ready >&9; kill -STOP $$",
    "exec <&- >&- 2>&-; echo ready >&9; exec sleep 1000",
    "bash -c 'exec -a \"ssh: /tmp/other [mux]\" sleep 1000' & echo ready >&9; wait",
    /* Goes on in a new process all the time. */
    "f() { setsid bash -c \"$1\" & exit; }; export F='sleep 0.01; setsid bash -c \"$F\" & exit'; bash -c "
    "\"$F\"; echo ready >&9; exec sleep 1000",
};

static void check_ends_all(enum scope_kind kind)
{
    struct child bystander = hostile_start(hostile_scope(kind), "echo ready >&9; exec sleep 1000");
    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        AUTO_ERROR err = ERROR_INIT;
        struct scope *scope = hostile_scope(kind);
        struct child child = hostile_start(scope, hostile[i]);
        cr_expect(scope_populated(scope));
        cr_expect_eq(scope_end(scope, 5 * NS_PER_S, &err), 0, "%s: %s", hostile[i], error_text(&err));
        cr_expect_not(scope_populated(scope));
        cr_expect_eq(scope_members(scope, NULL, NULL), 0);
        cr_expect_eq(scope_remove(scope, &err), 0, "%s: %s", hostile[i], error_text(&err));
        hostile_end(&child);
        cr_expect_not(hostile_is_gone(&bystander.pid), "a process outside was ended");
    }
    child_signal(&bystander, SIGKILL);
    hostile_end(&bystander);
}

Test(scope, cgroup_ends_every_hostile_child)
{
    check_ends_all(SCOPE_CGROUP);
}

Test(scope, marker_ends_every_hostile_child)
{
    check_ends_all(SCOPE_MARKER);
}

/* A child that goes on in a new process all the time, many thousand times a second; never for
 * longer than some seconds. */
static _Noreturn void run_away(const struct scope *scope, int ready)
{
    int64_t until = moment_monotonic() + 8 * NS_PER_S;
    if (cgroup_enter(scope->path, getpid(), NULL) < 0)
        _exit(1);
    for (int generation = 0; moment_monotonic() < until; generation++) {
        if (generation == 100 && write(ready, "x", 1) < 0)
            _exit(1);
        if (fork() > 0)
            _exit(0);
    }
    _exit(0);
}

static void check_run_away(int (*end)(const char *path, struct error *err))
{
    struct scope *scope = hostile_scope(SCOPE_CGROUP);
    AUTO_ERROR err = ERROR_INIT;
    int ends[2];
    char byte;
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0)
        run_away(scope, ends[1]);
    struct pollfd look = {.fd = ends[0], .events = POLLIN};
    cr_assert_eq(poll(&look, 1, 10000), 1);
    cr_assert_eq(read(ends[0], &byte, 1), 1);
    waitpid(pid, NULL, 0);
    cr_assert(scope_populated(scope));
    cr_expect_eq(end(scope->path, &err), 0, "%s", error_text(&err));
    cr_expect(hostile_wait(hostile_is_empty, scope, 1000), "it got away");
    cr_expect_eq(scope_end(scope, 5 * NS_PER_S, &err), 0, "%s", error_text(&err));
    close(ends[0]);
    close(ends[1]);
}

Test(scope, process_that_forks_away_is_killed_with_its_cgroup)
{
    check_run_away(cgroup_kill);
}

Test(scope, process_that_forks_away_is_killed_one_by_one_too)
{
    check_run_away(cgroup_kill_each);
}

static void check_members(enum scope_kind kind)
{
    struct scope *scope = hostile_scope(kind);
    pid_t *none = NULL;
    cr_expect_eq(scope_members(scope, &none, NULL), 0);
    cr_expect_not(scope_populated(scope));
    struct child child =
        hostile_start(scope, "sleep 1000 & setsid sleep 1000 & (exit 0) & sleep 0.1; echo ready >&9; wait");
    AUTO_FREE pid_t *pids = NULL;
    AUTO_ERROR err = ERROR_INIT;
    int count = scope_members(scope, &pids, &err);
    cr_expect_eq(count, 3, "%d members: %s", count, error_text(&err));
    bool found = false;
    for (int i = 0; i < count; i++)
        found = found || pids[i] == child.pid;
    cr_expect(found);
    cr_expect_eq(scope_members(scope, NULL, NULL), 3);
    cr_expect_eq(scope_end(scope, 5 * NS_PER_S, NULL), 0);
    hostile_end(&child);
}

Test(scope, cgroup_counts_its_members_without_zombies)
{
    check_members(SCOPE_CGROUP);
}

Test(scope, marker_counts_its_members_without_zombies)
{
    check_members(SCOPE_MARKER);
}

static void check_term(enum scope_kind kind)
{
    AUTO_FREE char *path = hostile_path("said");
    AUTO_FREE char *script = xasprintf("trap 'echo polite >\"%s\"; exit 7' TERM; echo ready >&9; kill -STOP "
                                       "$$; while :; do sleep 0.01; done",
                                       path);
    struct scope *scope = hostile_scope(kind);
    struct child child = hostile_start(scope, script);
    cr_assert(hostile_wait(hostile_is_stopped, &child.pid, 5000));
    cr_expect_eq(scope_signal(scope, SIGTERM, NULL), 0);
    struct child_end end = hostile_end(&child);
    cr_expect(end.exited && end.code == 7, "it could end in its own way");
    cr_expect(file_exists(path));
}

Test(scope, term_reaches_a_stopped_process_in_a_cgroup)
{
    check_term(SCOPE_CGROUP);
}

Test(scope, term_reaches_a_stopped_process_with_the_marker)
{
    check_term(SCOPE_MARKER);
}

/* A scope below the given one, frozen or not. */
static void nested(const struct scope *scope, const char *name, struct scope *out)
{
    AUTO_FREE char *path = file_join(scope->path, name);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(mkdir(path, 0755), 0);
    cr_assert_eq(scope_open_existing(path, out, &err), 0, "%s", error_text(&err));
}

static void freeze(const struct scope *scope)
{
    AUTO_CLOSE int fd = openat(scope->fd, "cgroup.freeze", O_WRONLY | O_CLOEXEC);
    cr_assert_eq(write(fd, "1", 1), 1);
}

Test(scope, nested_and_frozen_cgroups_are_counted_thawed_signalled_ended_and_removed)
{
    struct scope *scope = hostile_scope(SCOPE_CGROUP), below, beside;
    AUTO_ERROR err = ERROR_INIT;
    nested(scope, "below", &below);
    nested(&below, "beside", &beside);
    struct child one =
        hostile_start(&below, "trap 'exit 3' TERM; echo ready >&9; while :; do sleep 0.01; done");
    struct child two = hostile_start(&beside, "trap '' TERM; echo ready >&9; while :; do sleep 0.1; done");
    freeze(&beside);
    freeze(&below);
    cr_expect_geq(scope_members(scope, NULL, NULL), 2);
    cr_expect(scope_populated(scope));
    cr_expect_eq(scope_remove(scope, &err), -1, "a populated scope is not removed");
    cr_expect_eq(scope_signal(scope, SIGTERM, NULL), 0);
    struct child_end end = hostile_end(&one);
    cr_expect(end.exited && end.code == 3, "TERM did not reach a frozen process");
    freeze(&beside);
    cr_expect_eq(scope_end(scope, 5 * NS_PER_S, &err), 0, "%s", error_text(&err));
    hostile_end(&two);
    cr_expect_eq(scope_remove(scope, &err), 0, "%s", error_text(&err));
    cr_expect_not(file_exists(scope->path));
    cr_expect_eq(scope_remove(scope, &err), 0, "what is absent is removed");
    cr_expect_eq(scope_end(scope, NS_PER_S, &err), 0, "what is absent is empty");
    cr_expect_eq(scope_kill(scope, &err), 0);
    cr_expect_eq(scope_signal(scope, SIGTERM, &err), 0);
    cr_expect_eq(scope_members(scope, NULL, &err), 0);
    cr_expect_not(scope_populated(scope));
    scope_close(&below);
    scope_close(&beside);
}

Test(scope, emptiness_comes_as_an_event)
{
    struct scope *scope = hostile_scope(SCOPE_CGROUP);
    AUTO_CLOSE int events = scope_events_fd(scope);
    struct pollfd look = {.fd = events, .events = POLLPRI};
    char text[256];
    cr_assert_geq(events, 0);
    struct child child = hostile_start(scope, "echo ready >&9; read -t 1000 <> <(:)");
    cr_expect_gt(pread(events, text, sizeof text, 0), 0);
    cr_expect_eq(poll(&look, 1, 0), 0, "nothing changed");
    child_signal(&child, SIGKILL);
    cr_expect_eq(poll(&look, 1, 5000), 1);
    cr_expect_neq(look.revents & POLLPRI, 0);
    cr_expect(hostile_wait(hostile_is_empty, scope, 1000));
    hostile_end(&child);
}

Test(scope, marker_is_a_whole_entry_and_no_part_of_one)
{
    int pid = (int)getpid();
    AUTO_FREE char *entry = xasprintf("TRIPHASE_STEP=abc-%d-1", pid);
    AUTO_FREE char *longer_entry = xasprintf("%s2", entry);
    AUTO_FREE char *inner_entry = xasprintf("X=%s", entry);
    struct scope *member = hostile_marked(entry), *longer = hostile_marked(longer_entry),
                 *inner = hostile_marked(inner_entry);
    struct child other = hostile_start(longer, "echo ready >&9; exec sleep 1000");
    struct child within = hostile_start(inner, "echo ready >&9; exec sleep 1000");
    cr_assert_eq(scope_members(member, NULL, NULL), 0);
    cr_assert_eq(scope_members(longer, NULL, NULL), 1);
    cr_expect_eq(scope_end(member, NS_PER_S, NULL), 0);
    cr_expect_not(hostile_is_gone(&other.pid));
    cr_expect_not(hostile_is_gone(&within.pid));
    cr_expect_eq(scope_end(longer, NS_PER_S, NULL), 0);
    cr_expect_eq(scope_end(inner, NS_PER_S, NULL), 0);
    hostile_end(&other);
    hostile_end(&within);
}

Test(scope, marker_that_says_nothing_matches_nothing)
{
    static const char *const markers[] = {"", "=", "A=", "=b", "no equals sign"};
    struct child child = hostile_start(NULL, "echo ready >&9; exec env -i A= sleep 1000");
    for (size_t i = 0; i < COUNT_OF(markers); i++) {
        cr_expect_eq(marked_find(markers[i], NULL, NULL), 0, "'%s'", markers[i]);
        cr_expect_not(marked_with(1, markers[i]));
    }
    child_signal(&child, SIGKILL);
    hostile_end(&child);
}

Test(scope, marker_behind_a_large_environment_is_found)
{
    struct scope *scope = hostile_scope(SCOPE_MARKER);
    AUTO_TEXT large = TEXT_INIT;
    for (int i = 0; i < 10000; i++)
        text_add(&large, "0123456789");
    for (int i = 0; i < 5; i++) {
        AUTO_FREE char *name = xasprintf("LARGE%d", i);
        setenv(name, text_string(&large), 1);
    }
    /* No exec: bash hands on its variables in an order of its own. */
    struct child child = hostile_start(scope, "echo ready >&9; while :; do sleep 1; done");
    cr_expect(marked_with(child.pid, scope->marker));
    cr_expect_eq(scope_end(scope, NS_PER_S, NULL), 0);
    hostile_end(&child);
}

/* An SSH master writes its title over its environment; what it still says is the control path. */
Test(scope, ssh_master_belongs_to_its_run_by_its_title)
{
    AUTO_FREE char *tail = xasprintf("%04x%08x", (unsigned)getpid() & 0xffff, (unsigned)moment_monotonic());
    AUTO_FREE char *run = xasprintf("TRIPHASE_RUN=01890000-0000-7000-8000-%s", tail);
    AUTO_FREE char *other = xasprintf("TRIPHASE_RUN=01890000-0000-7000-8000-%.11sx", tail);
    AUTO_FREE char *step = xasprintf("TRIPHASE_STEP=01890000-0000-7000-8000-%s", tail);
    AUTO_FREE char *start = xasprintf("echo ready >&9; exec env -i bash -c 'exec -a \"ssh: "
                                      "/run/user/1/triphase-1/%sd/c0ffee [mux]\" sleep 1000'",
                                      tail);
    AUTO_FREE char *near = xasprintf("echo ready >&9; exec env -i bash -c 'exec -a \"ssh -o "
                                     "ControlPath=/tmp/triphase-1/%sd/x [mux]\" sleep 1000'",
                                     tail);
    struct scope *scope = hostile_marked(run);
    struct child master = hostile_start(NULL, start);
    struct child client = hostile_start(NULL, near);
    for (int i = 0; i < 2500 && !marked_with(master.pid, run); i++)
        usleep(2000);
    cr_assert(marked_with(master.pid, run));
    cr_expect_not(marked_with(master.pid, other));
    cr_expect_not(marked_with(master.pid, step), "a master is the run's, not a step's");
    cr_expect_not(marked_with(client.pid, run), "only masters are found by what they are called");
    cr_expect_eq(scope_end(scope, NS_PER_S, NULL), 0);
    cr_expect_eq(hostile_end(&master).signal, SIGKILL);
    cr_expect_not(hostile_is_gone(&client.pid));
    child_signal(&client, SIGKILL);
    hostile_end(&client);
}

Test(scope, caller_is_never_a_member_of_its_own_marker)
{
    AUTO_TEXT environment = TEXT_INIT;
    cr_assert_eq(file_read("/proc/self/environ", 1 << 22, &environment, NULL), 0);
    cr_assert_gt(strlen(text_string(&environment)), 0);
    cr_expect_not(marked_with(getpid(), text_string(&environment)));
}

static bool is_kept(pid_t pid)
{
    return marked_with_name(pid, "KEEP=");
}

Test(scope, job_that_shall_outlive_its_step_is_moved)
{
    struct scope *step = hostile_scope(SCOPE_CGROUP), *run = hostile_scope(SCOPE_CGROUP);
    AUTO_ERROR err = ERROR_INIT;
    struct child job =
        hostile_start(step, "export KEEP=me; bash -c 'sleep 1000 & echo ready >&9; wait' & wait");
    int moved = scope_move(step, run, is_kept, &err);
    cr_expect_eq(moved, 2, "%d: %s", moved, error_text(&err));
    cr_expect_eq(scope_members(run, NULL, NULL), 2);
    cr_expect_eq(scope_end(step, 5 * NS_PER_S, NULL), 0);
    hostile_end(&job);
    cr_expect_eq(scope_members(run, NULL, NULL), 2, "what was moved lives on");
    cr_expect_eq(scope_end(run, 5 * NS_PER_S, NULL), 0);
}

Test(scope, cpu_time_is_counted_over_processes_that_ended)
{
    struct scope *scope = hostile_scope(SCOPE_CGROUP);
    struct child child =
        hostile_start(scope, "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo ready >&9");
    hostile_end(&child);
    cr_expect_gt(scope_cpu_usec(scope), 1000);
    cr_expect_eq(scope_cpu_usec(hostile_scope(SCOPE_MARKER)), -1);
}

Test(scope, names_that_lead_elsewhere_are_refused)
{
    static const char *const names[] = {"", "/etc", "..", "../x", "a/../b", "a/..", "a\nb"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct scope scope = {.fd = 4711};
        AUTO_ERROR err = ERROR_INIT;
        cr_expect_eq(scope_open(names[i], "A=b", &scope, &err), -1, "'%s'", names[i]);
        cr_expect_eq(scope.fd, 4711);
    }
}

Test(scope, crashed_runs_scope_is_opened_by_its_path)
{
    struct scope *scope = hostile_scope(SCOPE_CGROUP), again;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(scope_open_existing(scope->path, &again, &err), 0);
    cr_expect_str_eq(again.path, scope->path);
    scope_close(&again);
    cr_expect_eq(again.fd, -1);
    cr_assert_eq(scope_remove(scope, &err), 0);
    cr_expect_eq(scope_open_existing(scope->path, &again, &err), -1);
}

Test(scope, without_cgroups_the_marker_is_taken_and_the_reason_told)
{
    setenv("TRIPHASE_NO_CGROUP", "1", 1);
    const char *why = NULL;
    struct scope scope;
    AUTO_ERROR err = ERROR_INIT;
    cr_expect_null(scope_root(&why));
    cr_assert_not_null(why);
    cr_expect(strstr(why, "TRIPHASE_NO_CGROUP"));
    cr_assert_eq(scope_open("run-x/01", "TRIPHASE_STEP=x", &scope, &err), 0, "%s", error_text(&err));
    cr_expect_eq(scope.kind, SCOPE_MARKER);
    cr_expect_str_eq(scope.marker, "TRIPHASE_STEP=x");
    cr_expect_str_eq(scope_kind_name(scope.kind), "session");
    cr_expect_eq(scope_events_fd(&scope), -1);
    scope_close(&scope);
    cr_expect_eq(scope_open("run-x/01", NULL, &scope, &err), -1, "nothing would mark it");
}

/* Where cgroup v2 is mounted; skips the test where it is not. The library is not asked: it would remember. */
static char *mount_of_cgroups(void)
{
    AUTO_TEXT table = TEXT_INIT;
    char point[256];
    cr_assert_eq(file_read("/proc/self/mounts", 1 << 20, &table, NULL), 0);
    for (const char *at = text_string(&table); *at; at += strcspn(at, "\n"), at += *at == '\n')
        if (sscanf(at, "%*s %255s cgroup2 ", point) == 1 && strstr(at, " cgroup2 ") &&
            strstr(at, " cgroup2 ") < at + strcspn(at, "\n"))
            return xstrdup(point);
    cr_skip_test("no cgroup v2 is mounted here");
    return NULL;
}

/* In a mount namespace of its own: what a container with a read-only cgroup file system sees. */
Test(scope, read_only_cgroups_fall_back_to_the_marker)
{
    AUTO_FREE char *point = mount_of_cgroups();
    if (unshare(CLONE_NEWNS) < 0)
        cr_skip_test("no mount namespace to be had here");
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    cr_assert_eq(mount(NULL, point, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0, "%s", strerror(errno));
    const char *why = "";
    struct scope scope;
    cr_expect_null(scope_root(&why));
    cr_expect(strstr(why, "read-only"), "%s", why);
    cr_assert_eq(scope_open("run-x", "TRIPHASE_RUN=x", &scope, NULL), 0);
    cr_expect_eq(scope.kind, SCOPE_MARKER);
    scope_close(&scope);
}

enum { NOBODY = 65534 };

static void be_nobody(void)
{
    if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
        _exit(90);
}

Test(scope, ordinary_user_without_a_delegated_cgroup_falls_back_to_the_marker)
{
    AUTO_FREE char *point = mount_of_cgroups();
    if (geteuid() != 0)
        cr_skip_test("needs root to become somebody else");
    be_nobody();
    const char *why = "";
    struct scope scope;
    cr_expect_null(scope_root(&why));
    cr_expect(strstr(why, "Delegate=yes"), "%s", why);
    cr_assert_eq(scope_open("run-x", "TRIPHASE_RUN=x", &scope, NULL), 0);
    cr_expect_eq(scope.kind, SCOPE_MARKER);
    scope_close(&scope);
}

static void give_to_nobody(const char *path)
{
    static const char *const files[] = {"", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        AUTO_FREE char *file = file_join(path, files[i]);
        cr_assert_eq(chown(file, NOBODY, NOBODY), 0);
    }
}

/* 0 when a user in the cgroup `place` can use scopes below `wanted`; else the number of what went wrong. */
static int use_delegated(const char *place, const char *wanted)
{
    AUTO_ERROR err = ERROR_INIT;
    if (cgroup_enter(place, getpid(), &err) < 0)
        return 91;
    be_nobody();
    const char *root = scope_root(NULL);
    AUTO_FREE char *expected = file_join(wanted, "triphase");
    if (!text_is(root, expected))
        return 92;
    struct scope scope;
    if (scope_open("run-x/01", "A=b", &scope, &err) < 0 || scope.kind != SCOPE_CGROUP)
        return 93;
    const char *const argv[] = {"sleep", "1000", NULL};
    struct child_plan plan = {
        .argv = argv, .in = -1, .out = -1, .error = -1, .scope = &scope, .die_with_parent = true};
    struct child child;
    if (child_start(&plan, &child, &err) < 0 || scope_members(&scope, NULL, NULL) != 1)
        return 94;
    if (scope_end(&scope, 5 * NS_PER_S, &err) < 0 || scope_remove(&scope, &err) < 0)
        return 95;
    return 0;
}

static void check_delegated(const char *leaf, bool leaf_is_his, const char *wanted)
{
    AUTO_FREE char *point = mount_of_cgroups();
    if (geteuid() != 0)
        cr_skip_test("needs root to become somebody else");
    AUTO_FREE char *delegated = xasprintf("%s/triphase-delegated-%d", point, (int)getpid());
    AUTO_FREE char *place = file_join(delegated, leaf);
    AUTO_FREE char *expected = file_join(delegated, wanted);
    if (mkdir(delegated, 0755) < 0)
        cr_skip_test("no cgroup to be had here: %s", strerror(errno));
    give_to_nobody(delegated);
    mkdir(place, 0755);
    if (leaf_is_his)
        give_to_nobody(place);
    pid_t pid = fork();
    if (pid == 0)
        _exit(use_delegated(place, expected));
    int status = -1;
    waitpid(pid, &status, 0);
    cgroup_kill(delegated, NULL);
    for (int i = 0; i < 1000 && cgroup_populated(delegated); i++)
        usleep(2000);
    AUTO_ERROR err = ERROR_INIT;
    cr_expect_eq(cgroup_remove(delegated, &err), 0, "%s", error_text(&err));
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", WEXITSTATUS(status));
}

Test(scope, ordinary_user_uses_the_delegated_cgroup_he_is_in)
{
    check_delegated("", true, "");
}

Test(scope, ordinary_user_in_a_leaf_uses_the_delegated_cgroup_above_it)
{
    check_delegated("leaf", false, "");
}
