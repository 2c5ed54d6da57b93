#include "process/guard.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DISMISS_BOUND (2 * NS_PER_S)
/* Where a pidfd of the worker is not to be had, its death is looked for this often. */
#define LOOK_MS 200

/* Nothing of the worker's may stay open here: a pipe, a terminal or a socket would outlive it.
 * Only the lock is meant to. */
static int close_the_rest(int lock_fd)
{
    if (lock_fd >= 0 && lock_fd < 3 && (lock_fd = fcntl(lock_fd, F_DUPFD_CLOEXEC, 3)) < 0)
        return -1;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return -1;
    for (int fd = 0; fd < 3; fd++)
        dup3(null, fd, O_CLOEXEC);
    unsigned kept = lock_fd < 0 ? 2 : (unsigned)lock_fd;
    if (close_range(kept + 1, ~0U, 0) == 0 && (kept <= 3 || close_range(3, kept - 1, 0) == 0))
        return 0;
    for (int fd = 3; fd < 1 << 16; fd++)
        if (fd != lock_fd)
            close(fd);
    return 0;
}

/* True when it is dead, false when the guard was dismissed. */
static bool wait_for_death(pid_t worker)
{
    sigset_t dismissal;
    sigemptyset(&dismissal);
    sigaddset(&dismissal, SIGUSR1);
    AUTO_CLOSE int signals = signalfd(-1, &dismissal, SFD_CLOEXEC | SFD_NONBLOCK);
    AUTO_CLOSE int handle = (int)syscall(SYS_pidfd_open, worker, 0);
    for (;;) {
        struct pollfd look[] = {{.fd = signals, .events = POLLIN}, {.fd = handle, .events = POLLIN}};
        /* Asked after the pidfd was opened: so it was the worker's, or the worker is gone. */
        bool dead = getppid() != worker;
        if (poll(look, COUNT_OF(look),
                 dead                        ? 0
                 : handle < 0 || signals < 0 ? LOOK_MS
                                             : -1) < 0 &&
            errno != EINTR)
            continue;
        sigset_t pending;
        if (look[0].revents || (signals < 0 && sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1)))
            return false;
        if (dead || look[1].revents)
            return true;
    }
}

/* However long it takes: while a process of the run lives, the lock must not be free. */
static void end_everything(const struct scope *scope)
{
    const int64_t look = 100 * NS_PER_MS;
    for (int64_t pause = look; scope_end(scope, look, NULL) < 0;
         pause = pause < NS_PER_S / 2 ? pause * 2 : NS_PER_S)
        nanosleep(&(struct timespec){.tv_sec = pause / NS_PER_S, .tv_nsec = pause % NS_PER_S}, NULL);
    scope_remove(scope, NULL);
}

static _Noreturn void be_guard(const struct scope *scope, const char *folder, int lock_fd, pid_t worker)
{
    setsid();
    prctl(PR_SET_NAME, "triphase-guard");
    if (chdir("/") < 0 || close_the_rest(lock_fd) < 0)
        _exit(1);
    if (wait_for_death(worker)) {
        end_everything(scope);
        if (folder)
            file_remove_tree(folder, NULL);
    }
    _exit(0);
}

int guard_start(const struct scope *run_scope, const char *folder, int lock_fd, struct child *out,
                struct error *err)
{
    /* Blocked before the fork, and for good in the guard: neither a ^C meant for the worker nor an early
     * dismissal can end it half way. */
    sigset_t all, before;
    pid_t worker = getpid();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int why = errno;
    if (pid == 0)
        be_guard(run_scope, folder, lock_fd, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return error_system(err, why, "cannot start the guard");
    struct child guard = {.pid = pid, .pidfd = (int)syscall(SYS_pidfd_open, pid, 0)};
    if (guard.pidfd < 0) {
        why = errno;
        kill(pid, SIGUSR1);
        return error_system(err, why, "cannot watch the guard");
    }
    *out = guard;
    return 0;
}

int guard_dismiss(struct child *guard, struct error *err)
{
    child_signal(guard, SIGUSR1);
    child_signal(guard, SIGCONT);
    /* One that does not answer must not act later on a run that ended in order. */
    bool gone = child_await_or_kill(guard, DISMISS_BOUND);
    pid_t pid = guard->pid;
    child_close(guard);
    if (!gone)
        return error_set(err, ERROR_DEADLINE, "the guard (process %d) did not end", (int)pid);
    return 0;
}
