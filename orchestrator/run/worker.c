#include "run/worker.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "config/marks.h"
#include "process/guard.h"
#include "process/lock.h"
#include "process/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LAST_WORDS_LIMIT = 16384 };

struct worker {
    struct loop *loop;
    struct runner *runner;
    struct scope run_scope;
    struct child guard;
    struct watch *guard_watch;
    int lock_fd;
};

static void on_cancel(void *context, int number)
{
    (void)number;
    struct worker *worker = context;
    if (worker->runner)
        runner_cancel(worker->runner);
}

static void on_hangup(void *context, int number)
{
    (void)context;
    (void)number; /* a lost terminal changes nothing */
}

/* Orphans of a step come to this process where it is their subreaper; they are reaped here, and only they:
 * the step's own child is its step's. */
static void on_orphan(void *context, int number)
{
    (void)number;
    struct worker *worker = context;
    AUTO_TEXT list = TEXT_INIT;
    AUTO_FREE char *path = xasprintf("/proc/self/task/%ld/children", (long)getpid());
    if (file_read(path, 1 << 20, &list, NULL) < 0)
        return;
    char *at = list.bytes;
    while (at && *at) {
        char *end;
        long pid = strtol(at, &end, 10);
        if (end == at)
            break;
        at = end;
        if (pid > 0 && pid != worker->guard.pid && pid != runner_child(worker->runner))
            waitpid((pid_t)pid, NULL, WNOHANG);
    }
}

static void on_guard_gone(void *context, uint32_t events);

static int start_guard(struct worker *worker, struct error *err)
{
    if (guard_start(&worker->run_scope, NULL, worker->lock_fd, &worker->guard, err) < 0)
        return -1;
    return loop_watch(worker->loop, worker->guard.pidfd, EPOLLIN, on_guard_gone, worker, &worker->guard_watch,
                      err);
}

/* Somebody ended the guard: without one a death of this worker would leave its processes, so
 * there is another at once. */
static void on_guard_gone(void *context, uint32_t events)
{
    (void)events;
    struct worker *worker = context;
    struct child_end end;
    if (child_poll(&worker->guard, &end, NULL) != 1)
        return;
    watch_stop(&worker->guard_watch);
    child_close(&worker->guard);
    AUTO_ERROR err = ERROR_INIT;
    dprintf(STDERR_FILENO, "the guard is gone; starting another\n");
    if (start_guard(worker, &err) < 0)
        dprintf(STDERR_FILENO, "no guard: %s\n", error_text(&err));
}

static void say_last_words(char *last_words, const char *text)
{
    if (text)
        snprintf(last_words, LAST_WORDS_LIMIT, "%s", text);
}

/* What Ansible and its tasks left there as root. */
static void give_back(const struct runner_request *request)
{
    AUTO_FREE char *run = layout_run(request->state, request->run_id);
    AUTO_FREE char *machines = file_join(request->state, "machines");
    AUTO_FREE char *targets = file_join(request->state, "targets");
    file_give_tree(run);
    file_give_tree(machines);
    file_give_tree(targets);
}

static int body(const struct runner_request *request, int lock_fd, char *last_words, struct error *err)
{
    struct worker worker = {.guard = CHILD_INIT, .lock_fd = lock_fd, .run_scope = {.fd = -1}};
    AUTO_FREE char *boot = process_boot_id();
    struct lock_owner owner = {.pid = getpid(), .start = process_start_time(getpid())};
    snprintf(owner.run, sizeof owner.run, "%s", request->run_id);
    snprintf(owner.boot, sizeof owner.boot, "%s", boot);
    if (lock_write(lock_fd, &owner, err) < 0 || marks_open_run(request->run_id, &worker.run_scope, err) < 0 ||
        loop_new(&worker.loop, err) < 0)
        return -1;
    bool orphans_come_here = worker.run_scope.kind == SCOPE_MARKER;
    if (orphans_come_here && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return error_system(err, errno, "cannot become the subreaper of the run");
    if (loop_signal(worker.loop, SIGTERM, on_cancel, &worker, err) < 0 ||
        loop_signal(worker.loop, SIGINT, on_cancel, &worker, err) < 0 ||
        loop_signal(worker.loop, SIGHUP, on_hangup, &worker, err) < 0 ||
        (orphans_come_here && loop_signal(worker.loop, SIGCHLD, on_orphan, &worker, err) < 0) ||
        start_guard(&worker, err) < 0 || runner_start(worker.loop, request, &worker.runner, err) < 0 ||
        loop_run(worker.loop, err) < 0)
        return -1;
    AUTO_FREE char *message = NULL;
    int code = runner_finish(worker.runner, &message);
    say_last_words(last_words, message);
    give_back(request);
    watch_stop(&worker.guard_watch);
    guard_dismiss(&worker.guard, NULL);
    loop_free(worker.loop);
    scope_remove(&worker.run_scope, NULL);
    scope_close(&worker.run_scope);
    return code;
}

/* What the command held open is none of the worker's business, but for the lock and
 * what secrets are read from. */
static void close_others(const struct project *project, int lock_fd)
{
    AUTO_WORDS names = WORDS_INIT;
    file_list("/proc/self/fd", &names, NULL);
    for (size_t i = 0; i < names.count; i++) {
        int fd = (int)strtol(names.items[i], NULL, 10);
        if (fd > 2 && fd != lock_fd && !project_reads(project, fd))
            close(fd);
    }
}

char *worker_last_words(char **last_words)
{
    if (!*last_words)
        return NULL;
    char *said = **last_words ? xstrndup(*last_words, strnlen(*last_words, LAST_WORDS_LIMIT)) : NULL;
    munmap(TAKE(*last_words), LAST_WORDS_LIMIT);
    return said;
}

int worker_start(const struct runner_request *request, int lock_fd, struct child *out, char **last_words,
                 struct error *err)
{
    AUTO_FREE char *folder = layout_run(request->state, request->run_id);
    AUTO_FREE char *log_path = file_join(folder, "worker.log");
    if (file_make_dirs(folder, 0700, err) < 0)
        return -1;
    AUTO_CLOSE int log = file_create(log_path, O_WRONLY | O_APPEND, 0600);
    AUTO_CLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || null < 0)
        return error_system(err, errno, "cannot make the run's log %s", log_path);
    char *words = mmap(NULL, LAST_WORDS_LIMIT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (words == MAP_FAILED)
        return error_system(err, errno, "cannot start a worker for %s", request->target_name);
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        error_system(err, errno, "cannot start a worker for %s", request->target_name);
        munmap(words, LAST_WORDS_LIMIT);
        return -1;
    }
    if (pid == 0) {
        setsid();
        prctl(PR_SET_NAME, "triphase-worker");
        dup2(null, STDIN_FILENO);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        close_others(request->project, lock_fd);
        signal(SIGXFSZ, SIG_IGN); /* a limit of file sizes is a write that fails */
        AUTO_ERROR why = ERROR_INIT;
        int code = body(request, lock_fd, words, &why);
        if (code < 0) {
            dprintf(STDERR_FILENO, "triphase: %s\n", error_text(&why));
            say_last_words(words, error_text(&why));
            code = request->exit_code(OUTCOME_CRASHED, NULL, false);
        }
        _exit(code);
    }
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        int why = errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        munmap(words, LAST_WORDS_LIMIT);
        return error_system(err, why, "cannot watch the worker of %s", request->target_name);
    }
    fcntl(pidfd, F_SETFD, FD_CLOEXEC);
    *out = (struct child){pid, pidfd};
    *last_words = words;
    return 0;
}
