/* Starting a process: what it inherits (nothing but what it was given), where it is born, how a
 * failure to start is told. */
#include "process/child.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "unit/hostile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(child, .timeout = 60, .fini = hostile_clean);

/* A place for a child's output. */
static int sink(void)
{
    int fd = memfd_create("sink", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    return fd;
}

static char *content(int fd)
{
    AUTO_FREE char *path = xasprintf("/proc/self/fd/%d", fd);
    AUTO_TEXT text = TEXT_INIT;
    cr_assert_eq(file_read(path, 1 << 20, &text, NULL), 0);
    return text_take(&text);
}

static struct child must_start(const struct child_plan *plan)
{
    AUTO_ERROR err = ERROR_INIT;
    struct child child = CHILD_INIT;
    cr_assert_eq(child_start(plan, &child, &err), 0, "%s", error_text(&err));
    return child;
}

/* Runs a script with the plan's other parts; what it wrote to stdout, malloc'ed. */
static char *output_of(struct child_plan plan, const char *script)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    AUTO_CLOSE int out = sink();
    plan.argv = argv;
    plan.out = out;
    struct child child = must_start(&plan);
    struct child_end end = hostile_end(&child);
    cr_assert(end.exited && end.code == 0, "'%s' failed", script);
    return content(out);
}

static const struct child_plan plain = {.in = -1, .out = -1, .error = 2};

Test(child, how_it_ended_is_told)
{
    static const struct {
        const char *script;
        const char *text;
        bool exited;
        int code, signal;
    } all[] = {
        {"exit 0", "exited with 0", true, 0, 0},
        {"exit 7", "exited with 7", true, 7, 0},
        {"kill -TERM $$", "was killed by signal 15 (TERM)", false, 0, SIGTERM},
        {"kill -KILL $$", "was killed by signal 9 (KILL)", false, 0, SIGKILL},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        const char *const argv[] = {"sh", "-c", all[i].script, NULL};
        struct child_plan plan = plain;
        plan.argv = argv;
        struct child child = must_start(&plan);
        struct child_end end = hostile_end(&child);
        AUTO_FREE char *text = child_end_text(&end);
        cr_expect_str_eq(text, all[i].text);
        cr_expect(end.exited == all[i].exited && end.code == all[i].code && end.signal == all[i].signal, "%s",
                  all[i].script);
        cr_expect_eq(child.pidfd, -1);
    }
}

Test(child, one_that_still_runs_is_not_waited_for)
{
    struct child child = hostile_start(NULL, "echo ready >&9; exec sleep 100");
    struct child_end end = {.code = 99};
    cr_expect_eq(child_poll(&child, &end, NULL), 0);
    cr_expect_eq(end.code, 99, "the output was touched");
    cr_expect_eq(child_signal(&child, SIGKILL), 0);
    end = hostile_end(&child);
    cr_expect_eq(end.signal, SIGKILL);
}

Test(child, is_reaped_once_and_then_cannot_be_signalled)
{
    const char *const argv[] = {"true", NULL};
    struct child_plan plan = plain;
    AUTO_ERROR err = ERROR_INIT;
    struct child_end end;
    plan.argv = argv;
    struct child child = must_start(&plan);
    struct pollfd look = {.fd = child.pidfd, .events = POLLIN};
    cr_assert_eq(poll(&look, 1, 10000), 1);
    cr_expect_eq(child_poll(&child, &end, &err), 1);
    cr_expect_eq(child_poll(&child, &end, &err), -1);
    cr_expect_eq(child_signal(&child, SIGTERM), -1);
    child_close(&child);
}

Test(child, no_descriptor_is_inherited_but_those_asked_for)
{
    int leaking[4];
    for (size_t i = 0; i < COUNT_OF(leaking); i++)
        leaking[i] = open("/dev/zero", O_RDONLY); /* without CLOEXEC, on purpose */
    int high = fcntl(leaking[0], F_DUPFD, 500);
    AUTO_CLOSE int kept = fcntl(leaking[0], F_DUPFD_CLOEXEC, 37);
    int keep[] = {kept, -1};
    AUTO_FREE char *none = output_of(plain, "cd /proc/self/fd && echo *");
    struct child_plan with = plain;
    with.keep = keep;
    AUTO_FREE char *one = output_of(with, "cd /proc/self/fd && echo *");
    cr_expect_str_eq(none, "0 1 2 3\n", "3 is the shell's own look");
    cr_expect_str_eq(one, "0 1 2 3 37\n");
    cr_expect(fcntl(kept, F_GETFD) & FD_CLOEXEC, "kept open in the child alone");
    for (size_t i = 0; i < COUNT_OF(leaking); i++)
        close(leaking[i]);
    close(high);
}

Test(child, no_descriptor_is_inherited_without_close_range_either)
{
    int leaking = open("/dev/zero", O_RDONLY);
    hostile_deny(SYS_close_range, ENOSYS);
    AUTO_FREE char *none = output_of(plain, "cd /proc/self/fd && echo *");
    cr_expect_str_eq(none, "0 1 2 3\n");
    close(leaking);
}

Test(child, streams_not_given_are_dev_null)
{
    AUTO_CLOSE int out = sink();
    const char *const argv[] = {"sh", "-c", "readlink /proc/self/fd/0 /proc/$$/fd/0 /proc/$$/fd/2", NULL};
    struct child_plan plan = {.argv = argv, .in = -1, .out = out, .error = -1};
    struct child child = must_start(&plan);
    hostile_end(&child);
    AUTO_FREE char *text = content(out);
    cr_expect_str_eq(text, "/dev/null\n/dev/null\n/dev/null\n");
}

/* The wanted streams may stand at 0, 1 and 2 themselves, in any order: done in a process whose
 * own streams can be spoilt. */
Test(child, streams_may_be_any_permutation_of_the_own_ones)
{
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0},
                                    {2, 0, 1}, {2, 1, 0}, {2, 2, 2}};
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        int files[3] = {sink(), sink(), sink()};
        pid_t pid = fork();
        cr_assert_geq(pid, 0);
        if (pid == 0) {
            for (int fd = 0; fd < 3; fd++)
                dup2(files[fd], fd);
            const char *const argv[] = {"sh", "-c", "printf i >&0; printf o; printf e >&2", NULL};
            struct child_plan plan = {
                .argv = argv, .in = orders[i][0], .out = orders[i][1], .error = orders[i][2]};
            struct child child;
            struct child_end end;
            if (child_start(&plan, &child, NULL) < 0)
                _exit(1);
            struct pollfd look = {.fd = child.pidfd, .events = POLLIN};
            poll(&look, 1, 10000);
            _exit(child_poll(&child, &end, NULL) == 1 && end.exited ? end.code : 2);
        }
        int status = -1;
        waitpid(pid, &status, 0);
        cr_expect_eq(status, 0);
        for (int fd = 0; fd < 3; fd++) {
            AUTO_FREE char *text = content(files[fd]);
            AUTO_TEXT wanted = TEXT_INIT;
            for (int stream = 0; stream < 3; stream++)
                if (orders[i][stream] == fd)
                    text_add_char(&wanted, "ioe"[stream]);
            cr_expect_str_eq(text, text_string(&wanted), "order %zu, descriptor %d", i, fd);
            close(files[fd]);
        }
    }
}

/* A process that was started with its streams closed gets pipes at 0-2. */
Test(child, starts_from_a_process_without_streams)
{
    AUTO_CLOSE int out = sink();
    pid_t pid = fork();
    if (pid == 0) {
        for (int fd = 0; fd < 3; fd++)
            close(fd);
        const char *const argv[] = {"sh", "-c", "echo fine", NULL};
        struct child_plan plan = {.argv = argv, .in = -1, .out = out, .error = -1};
        const char *const none[] = {"/proc/nowhere/at/all", NULL};
        struct child child;
        AUTO_ERROR err = ERROR_INIT;
        if (child_start(&plan, &child, NULL) < 0)
            _exit(1);
        struct pollfd look = {.fd = child.pidfd, .events = POLLIN};
        poll(&look, 1, 10000);
        plan.argv = none;
        _exit(child_start(&plan, &child, &err) < 0 && err.kind == ERROR_MISSING ? 0 : 2);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    cr_expect_eq(status, 0);
    AUTO_FREE char *text = content(out);
    cr_expect_str_eq(text, "fine\n");
}

Test(child, signals_are_as_after_boot)
{
    sigset_t some;
    sigfillset(&some);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGRTMIN, SIG_IGN);
    sigprocmask(SIG_SETMASK, &some, NULL);
    AUTO_FREE char *text = output_of(plain, "grep -E 'SigBlk|SigIgn' /proc/self/status | cut -f2");
    cr_expect_str_eq(text, "0000000000000000\n0000000000000000\n");
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    cr_expect(sigismember(&now, SIGTERM), "the caller's mask is what it was");
}

Test(child, leads_a_session_of_its_own)
{
    AUTO_FREE char *text = output_of(plain, "cut -d' ' -f1,5,6 /proc/$$/stat");
    int pid, group, session;
    cr_assert_eq(sscanf(text, "%d %d %d", &pid, &group, &session), 3);
    cr_expect_eq(pid, group);
    cr_expect_eq(pid, session);
}

Test(child, program_is_found_in_the_path_it_will_have)
{
    AUTO_FREE char *program = hostile_path("only-here");
    cr_assert_eq(file_replace(program, "#!/bin/sh\necho found\n", 21, 0755, NULL), 0);
    AUTO_FREE char *path = xasprintf("PATH=/nowhere:%s:/usr/bin:/bin", hostile_folder());
    const char *const argv[] = {"only-here", NULL};
    const char *const environment[] = {path, NULL};
    AUTO_CLOSE int out = sink();
    struct child_plan plan = {.argv = argv, .environment = environment, .in = -1, .out = out, .error = 2};
    struct child child = must_start(&plan);
    hostile_end(&child);
    AUTO_FREE char *text = content(out);
    cr_expect_str_eq(text, "found\n");
    plan.environment = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_expect_eq(child_start(&plan, &child, &err), -1);
    cr_expect_eq(err.kind, ERROR_MISSING);
}

Test(child, failure_to_start_names_program_step_and_reason)
{
    AUTO_FREE char *plain_file = hostile_path("plain");
    AUTO_FREE char *no_interpreter = hostile_path("script");
    cr_assert_eq(file_replace(plain_file, "x", 1, 0644, NULL), 0);
    cr_assert_eq(file_replace(no_interpreter, "#!/proc/nowhere/sh\n", 19, 0755, NULL), 0);
    int closed[] = {999, -1};
    const struct {
        const char *program, *directory;
        const int *keep;
        enum error_kind kind;
        const char *step, *reason;
    } all[] = {
        {"no-such-program-here", NULL, NULL, ERROR_MISSING, "PATH", "install it"},
        {"/proc/nowhere/program", NULL, NULL, ERROR_MISSING, "run it", "No such file"},
        {no_interpreter, NULL, NULL, ERROR_MISSING, "run it", "No such file"},
        {plain_file, NULL, NULL, ERROR_SYSTEM, "run it", "Permission denied"},
        {"/bin/true", "/proc/nowhere/folder", NULL, ERROR_SYSTEM, "enter its folder /proc/nowhere/folder",
         "No such file"},
        {"/bin/true", NULL, closed, ERROR_SYSTEM, "keep a descriptor", "Bad file descriptor"},
    };
    int before = hostile_descriptors();
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        const char *const argv[] = {all[i].program, NULL};
        struct child_plan plan = plain;
        AUTO_ERROR err = ERROR_INIT;
        struct child child = {.pid = 12345, .pidfd = 54321};
        plan.argv = argv;
        plan.directory = all[i].directory;
        plan.keep = all[i].keep;
        cr_expect_eq(child_start(&plan, &child, &err), -1);
        cr_expect_eq(err.kind, all[i].kind, "%s", error_text(&err));
        cr_expect(strstr(error_text(&err), all[i].program), "%s", error_text(&err));
        cr_expect(strstr(error_text(&err), all[i].step), "%s", error_text(&err));
        cr_expect(strstr(error_text(&err), all[i].reason), "%s", error_text(&err));
        cr_expect(child.pid == 12345 && child.pidfd == 54321, "outputs are untouched on failure");
    }
    cr_expect_eq(hostile_descriptors(), before, "descriptors leak on failure");
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "a failed start leaves a zombie");
}

Test(child, starting_and_closing_leaks_no_descriptor)
{
    const char *const argv[] = {"/bin/true", NULL};
    struct child_plan plan = plain;
    plan.argv = argv;
    int before = hostile_descriptors();
    for (int i = 0; i < 10; i++) {
        struct child child = must_start(&plan);
        hostile_end(&child);
    }
    cr_expect_eq(hostile_descriptors(), before);
}

static void check_born_inside(void)
{
    struct scope *scope = hostile_scope(SCOPE_CGROUP);
    struct child_plan plan = plain;
    plan.scope = scope;
    AUTO_FREE char *text = output_of(plan, "grep ^0:: /proc/self/cgroup");
    const char *name = strstr(scope->path, "/test-");
    cr_assert_not_null(name);
    cr_expect(strstr(text, name), "%s is not in %s", text, scope->path);
}

Test(child, is_born_inside_its_cgroup)
{
    check_born_inside();
}

Test(child, enters_its_cgroup_before_exec_where_clone3_is_lacking)
{
    hostile_deny(SYS_clone3, ENOSYS);
    check_born_inside();
}

Test(child, enters_its_cgroup_before_exec_where_clone3_is_forbidden)
{
    hostile_deny(SYS_clone3, EPERM);
    check_born_inside();
}

Test(child, start_in_a_scope_that_is_gone_fails)
{
    AUTO_ERROR err = ERROR_INIT;
    struct scope *scope = hostile_scope(SCOPE_CGROUP);
    cr_assert_eq(scope_remove(scope, &err), 0, "%s", error_text(&err));
    const char *const argv[] = {"/bin/true", NULL};
    struct child_plan plan = plain;
    struct child child;
    plan.argv = argv;
    plan.scope = scope;
    cr_expect_eq(child_start(&plan, &child, &err), -1);
    cr_expect(strstr(error_text(&err), scope->path), "%s", error_text(&err));
}

Test(child, start_in_a_frozen_scope_has_a_bound)
{
    AUTO_ERROR err = ERROR_INIT;
    struct scope *scope = hostile_scope(SCOPE_CGROUP);
    AUTO_FREE char *freeze = file_join(scope->path, "cgroup.freeze");
    AUTO_CLOSE int fd = open(freeze, O_WRONLY | O_CLOEXEC);
    cr_assert_eq(write(fd, "1", 1), 1);
    const char *const argv[] = {"/bin/true", NULL};
    struct child_plan plan = plain;
    struct child child;
    plan.argv = argv;
    plan.scope = scope;
    int64_t begin = moment_monotonic();
    cr_expect_eq(child_start(&plan, &child, &err), -1);
    cr_expect_lt(moment_monotonic() - begin, 15 * NS_PER_S);
    cr_expect(strstr(error_text(&err), "10 s"), "%s", error_text(&err));
    cr_expect_not(scope_populated(scope));
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "a failed start leaves a zombie");
}

Test(child, dies_with_its_parent_when_it_shall)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t parent = fork();
    if (parent == 0) {
        const char *const argv[] = {"sleep", "100", NULL};
        struct child_plan plan = {.argv = argv, .in = -1, .out = -1, .error = -1, .die_with_parent = true};
        struct child child;
        if (child_start(&plan, &child, NULL) < 0 || write(ends[1], &child.pid, sizeof child.pid) < 0)
            _exit(1);
        pause();
        _exit(0);
    }
    pid_t pid = -1;
    cr_assert_eq(read(ends[0], &pid, sizeof pid), (ssize_t)sizeof pid);
    cr_expect_not(hostile_is_gone(&pid));
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    cr_expect(hostile_wait(hostile_is_gone, &pid, 2000), "process %d lives on", (int)pid);
    kill(pid, SIGKILL);
}

Test(child, process_is_known_by_pid_and_start_time)
{
    /* A name that looks like the end of the field before it. */
    cr_assert_eq(prctl(PR_SET_NAME, "a) Z 1 1 (b"), 0);
    int64_t own = process_start_time(getpid());
    cr_expect_gt(own, 0);
    cr_expect(process_alive(getpid(), own));
    cr_expect_not(process_alive(getpid(), own + 1), "another process got the pid");
    cr_expect_eq(process_start_time(0), -1);
    cr_expect_eq(process_start_time(-5), -1);
    cr_expect_not(process_alive(-5, -1), "two times unknown are no match");

    const char *const argv[] = {"/bin/true", NULL};
    struct child_plan plan = plain;
    plan.argv = argv;
    struct child child = must_start(&plan);
    pid_t pid = child.pid;
    int64_t start = process_start_time(pid);
    cr_assert(hostile_wait(hostile_is_gone, &pid, 10000));
    cr_expect_not(process_alive(pid, start), "a zombie is not alive");
    hostile_end(&child);
    cr_expect_eq(process_start_time(pid), -1);
}

Test(child, boot_id_is_one_line)
{
    AUTO_FREE char *id = process_boot_id();
    cr_expect_eq(strlen(id), 36, "%s", id);
}
