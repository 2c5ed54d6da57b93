#include "process/child.h"

#include "base/deadline.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "process/look.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* An exec on a hung file system, or in a frozen cgroup, must not hold its starter for ever. */
#define START_BOUND (10 * NS_PER_S)
#define REAP_BOUND  NS_PER_S

enum start_step { STEP_SCOPE, STEP_SESSION, STEP_PARENT, STEP_STREAMS, STEP_KEEP, STEP_FOLDER, STEP_EXEC };

static const char *const step_names[] = {
    [STEP_SCOPE] = "enter its scope",
    [STEP_SESSION] = "start a session",
    [STEP_PARENT] = "be tied to its parent",
    [STEP_STREAMS] = "connect stdin, stdout and stderr",
    [STEP_KEEP] = "keep a descriptor open",
    [STEP_FOLDER] = "enter its folder",
    [STEP_EXEC] = "run it",
};
_Static_assert(COUNT_OF(step_names) == STEP_EXEC + 1, "each step that can fail has its words");

/* What the child tells before it gives up; shorter than PIPE_BUF, so it comes whole or not at all. */
struct start_failure {
    int step;
    int number;
};

/* Everything the child needs, worked out before the fork: after it, only
 * async-signal-safe calls are allowed. */
struct start {
    const char *path;
    char *const *argv;
    char *const *environment;
    const char *directory;
    int streams[3];
    const int *keep;
    int report;
    int procs; /* cgroup.procs to write to; -1 when born in the scope, or without one */
    pid_t parent;
    bool die_with_parent;
};

static _Noreturn void give_up(const struct start *start, enum start_step step)
{
    struct start_failure failure = {step, errno};
    ssize_t ignored = write(start->report, &failure, sizeof failure);
    (void)ignored;
    _exit(127);
}

/* Marks every descriptor above stderr as closed by exec. */
static void close_the_rest(void)
{
    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        return;
    /* Kernels before 5.11, or a seccomp filter that does not know the call. */
    struct rlimit limit;
    int last = 1 << 16;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1 << 20)
        last = (int)limit.rlim_cur;
    for (int fd = 3; fd < last; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static _Noreturn void become(struct start *start)
{
    if (start->procs >= 0 && write(start->procs, "0", 1) != 1)
        give_up(start, STEP_SCOPE);
    if (setsid() < 0)
        give_up(start, STEP_SESSION);
    if (start->die_with_parent) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
            give_up(start, STEP_PARENT);
        if (getppid() != start->parent)
            _exit(127);
    }
    /* Handlers would be reset by exec, ignored signals would not. */
    struct sigaction by_default = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &by_default, NULL);
    /* The C library keeps two signals to itself and refuses them above; the kernel does not. All zeros is the
     * default action in the kernel's own layout. */
    static const unsigned long kernel_default[4];
    for (int number = __SIGRTMIN; number < SIGRTMIN; number++)
        syscall(SYS_rt_sigaction, number, kernel_default, NULL, sizeof(unsigned long));

    /* Sources among 0-2 go up first, so that none is overwritten before it was used. */
    for (int i = 0; i < 3; i++)
        if (start->streams[i] < 3 && (start->streams[i] = fcntl(start->streams[i], F_DUPFD_CLOEXEC, 3)) < 0)
            give_up(start, STEP_STREAMS);
    for (int i = 0; i < 3; i++)
        if ((start->streams[i] = dup2(start->streams[i], i)) < 0)
            give_up(start, STEP_STREAMS);
    close_the_rest();
    for (const int *fd = start->keep; fd && *fd >= 0; fd++)
        if (*fd > 2 && fcntl(*fd, F_SETFD, 0) < 0)
            give_up(start, STEP_KEEP);
    if (start->directory && chdir(start->directory) < 0)
        give_up(start, STEP_FOLDER);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(start->path, start->argv, start->environment);
    give_up(start, STEP_EXEC);
}

/* Forks into the cgroup behind `cgroup` (-1: where the parent is). 0 in the child; in the parent the pid with
 * `pidfd` set, or -1 with errno. */
static pid_t fork_into(int cgroup, int *pidfd)
{
    struct clone_args args = {
        .flags = CLONE_PIDFD | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0,
    };
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static bool clone3_is_lacking(int number)
{
    /* E2BIG: a kernel whose clone3 knows no cgroup (before 5.7). The others: no clone3, a
     * seccomp filter, a v1 directory. */
    return number == ENOSYS || number == EPERM || number == EINVAL || number == EBADF || number == E2BIG;
}

static pid_t fork_plainly(int *pidfd)
{
    pid_t pid = fork();
    if (pid <= 0)
        return pid;
    *pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (*pidfd >= 0)
        return pid;
    int why = errno;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    errno = why;
    return -1;
}

static pid_t fork_start(struct start *start, const struct scope *scope, int *pidfd)
{
    int cgroup = scope && scope->kind == SCOPE_CGROUP ? scope->fd : -1;
    pid_t pid = fork_into(cgroup, pidfd);
    if (pid < 0 && clone3_is_lacking(errno)) {
        AUTO_CLOSE int procs = -1;
        if (cgroup >= 0 && (procs = openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC)) < 0)
            return -1;
        start->procs = procs;
        pid = fork_plainly(pidfd);
        if (pid == 0)
            become(start);
        return pid;
    }
    if (pid == 0)
        become(start);
    return pid;
}

static int wait_readable(int fd, int64_t bound)
{
    return deadline_poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, deadline_in(bound));
}

/* Waits until the child is past exec. 0, or -1 with the error; then the child is ended and reaped. */
static int await_exec(const struct child_plan *plan, struct child *child, int report, struct error *err)
{
    struct start_failure failure;
    ssize_t got = -1;
    int ready = wait_readable(report, START_BOUND);
    if (ready > 0)
        while ((got = read(report, &failure, sizeof failure)) < 0 && errno == EINTR)
            ;
    if (got == 0) {
        /* Closed by exec, or by a death before it; the second is an end like any
         * other, seen by child_poll. */
        return 0;
    }
    child_signal(child, SIGKILL);
    child_await(child, REAP_BOUND);
    if (got != (ssize_t)sizeof failure)
        return error_set(err, ERROR_SYSTEM, "cannot start %s: it was not running within %d s", plan->argv[0],
                         (int)(START_BOUND / NS_PER_S));
    const char *detail = failure.step == STEP_FOLDER ? plan->directory : "";
    error_system(err, failure.number, "cannot start %s: it could not %s%s%s", plan->argv[0],
                 step_names[failure.step], *detail ? " " : "", detail);
    if (err && failure.step == STEP_EXEC && failure.number == ENOENT)
        err->kind = ERROR_MISSING;
    return -1;
}

/* A descriptor that stands above 2, so that arranging the streams cannot overwrite it. */
static int raise_fd(int *fd)
{
    if (*fd > 2)
        return 0;
    int higher = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
    if (higher < 0)
        return -1;
    close(*fd);
    *fd = higher;
    return 0;
}

static const char *path_of(const char *const *environment)
{
    for (; environment && *environment; environment++)
        if (text_starts(*environment, "PATH="))
            return *environment + strlen("PATH=");
    return NULL;
}

/* Names with a '=' behind them. */
static struct words kept_back = WORDS_INIT;

void child_keep_back(const char *name)
{
    AUTO_FREE char *begin = xasprintf("%s=", name);
    if (!words_have(&kept_back, begin))
        words_add(&kept_back, begin);
}

bool child_keeps_back(const char *entry)
{
    for (size_t i = 0; i < kept_back.count; i++)
        if (text_starts(entry, kept_back.items[i]))
            return true;
    return false;
}

void child_inherited(struct words *out)
{
    for (char **entry = environ; *entry; entry++)
        if (!child_keeps_back(*entry))
            words_add(out, *entry);
}

int child_start(const struct child_plan *plan, struct child *out, struct error *err)
{
    AUTO_WORDS inherited = WORDS_INIT;
    if (!plan->environment)
        child_inherited(&inherited);
    bool placed = strchr(plan->argv[0], '/');
    AUTO_FREE char *path =
        placed ? xstrdup(plan->argv[0]) : file_find_program(plan->argv[0], path_of(plan->environment));
    if (!path)
        return error_set(err, ERROR_MISSING, "cannot start %s: no program of that name in PATH; install it",
                         plan->argv[0]);

    AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int ends[2] = {-1, -1};
    if (null < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return error_system(err, errno, "cannot start %s", plan->argv[0]);
    AUTO_CLOSE int report = ends[0];
    AUTO_CLOSE int report_in = ends[1];
    if (raise_fd(&report_in) < 0)
        return error_system(err, errno, "cannot start %s", plan->argv[0]);

    struct start start = {
        .path = path,
        .argv = (char *const *)plan->argv,
        .environment =
            plan->environment ? (char *const *)plan->environment : (char *const *)words_argv(&inherited),
        .directory = plan->directory,
        .streams = {plan->in >= 0 ? plan->in : null, plan->out >= 0 ? plan->out : null,
                    plan->error >= 0 ? plan->error : null},
        .keep = plan->keep,
        .report = report_in,
        .procs = -1,
        .parent = getpid(),
        .die_with_parent = plan->die_with_parent,
    };
    /* No handler of ours may run in the child. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct child child = CHILD_INIT;
    child.pid = fork_start(&start, plan->scope, &child.pidfd);
    int why = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child.pid < 0)
        return error_system(err, why, "cannot start %s%s%s", plan->argv[0],
                            plan->scope && plan->scope->kind == SCOPE_CGROUP ? " in the scope " : "",
                            plan->scope && plan->scope->kind == SCOPE_CGROUP ? plan->scope->path : "");
    fd_close(&report_in);
    if (await_exec(plan, &child, report, err) < 0) {
        child_close(&child);
        return -1;
    }
    *out = child;
    return 0;
}

int child_poll(struct child *child, struct child_end *end, struct error *err)
{
    siginfo_t info = {0};
    struct rusage usage = {0};
    /* The system call, because the library's waitid hands out no rusage; the pidfd, because no other
     * process can be meant by it. */
    long done = syscall(SYS_waitid, P_PIDFD, child->pidfd, &info, WEXITED | WNOHANG, &usage);
    if (done < 0)
        return error_system(err, errno, "cannot ask for the end of process %d", (int)child->pid);
    if (!info.si_pid)
        return 0;
    *end = (struct child_end){
        .exited = info.si_code == CLD_EXITED,
        .code = info.si_code == CLD_EXITED ? info.si_status : 0,
        .signal = info.si_code == CLD_EXITED ? 0 : info.si_status,
        .dumped = info.si_code == CLD_DUMPED,
        .usage = usage,
    };
    return 1;
}

bool child_await(struct child *child, int64_t bound_ns)
{
    struct child_end end;
    return child_poll(child, &end, NULL) != 0 ||
           (wait_readable(child->pidfd, bound_ns) > 0 && child_poll(child, &end, NULL) != 0);
}

int child_signal(const struct child *child, int number)
{
    return (int)syscall(SYS_pidfd_send_signal, child->pidfd, number, NULL, 0);
}

bool child_await_or_kill(struct child *child, int64_t bound_ns)
{
    if (child_await(child, bound_ns))
        return true;
    child_signal(child, SIGKILL);
    return child_await(child, REAP_BOUND);
}

void child_close(struct child *child)
{
    fd_close(&child->pidfd);
    *child = (struct child)CHILD_INIT;
}

char *child_end_text(const struct child_end *end)
{
    if (end->exited)
        return xasprintf("exited with %d", end->code);
    const char *name = sigabbrev_np(end->signal);
    return xasprintf("was killed by signal %d (%s)%s", end->signal, name ? name : "?",
                     end->dumped ? ", core dumped" : "");
}

int64_t process_start_time(pid_t pid)
{
    struct process_look process;
    return pid > 0 && process_look(pid, &process) ? process.start : -1;
}

bool process_alive(pid_t pid, int64_t start_time)
{
    struct process_look process;
    return pid > 0 && process_look(pid, &process) && process.start == start_time && process.state != 'Z' &&
           process.state != 'X';
}

char *process_boot_id(void)
{
    AUTO_TEXT id = TEXT_INIT;
    if (file_read("/proc/sys/kernel/random/boot_id", 256, &id, NULL) < 0)
        return xstrdup("");
    return xstrndup(text_string(&id), strcspn(text_string(&id), "\n"));
}
