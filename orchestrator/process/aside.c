#include "process/aside.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "process/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_BOUND (2 * NS_PER_S)

/* What the child leaves in the file of memory: this, then the bytes; a child that was ended leaves less. */
struct answer {
    size_t length;
    enum error_kind failure; /* ERROR_NONE: the bytes are the result, else the reason */
};

struct aside {
    struct child child;
    struct watch *watch;
    int memory;
    aside_done *done;
    void *context;
};

static void __attribute__((noreturn))
be_child(int memory, const char *marker, aside_work *work, const void *what)
{
    AUTO_TEXT out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    prctl(PR_SET_NAME, "triphase-aside");
    putenv(xstrdup(marker));
    bool worked = work(what, &out, &err) == 0;
    const char *bytes = worked ? text_string(&out) : error_text(&err);
    struct answer answer = {worked ? out.length : strlen(bytes), worked ? ERROR_NONE : err.kind};
    bool told = file_write_all(memory, bytes, answer.length) == 0 &&
                file_write_all(memory, (const char *)&answer, sizeof answer) == 0;
    _exit(told ? 0 : 1);
}

static void forget(struct aside *aside)
{
    watch_stop(&aside->watch);
    child_close(&aside->child);
    fd_close(&aside->memory);
    free(aside);
}

/* The answer stands behind its bytes: what was cut off has none. */
static char *read_answer(int memory, struct answer *out)
{
    off_t end = lseek(memory, 0, SEEK_END) - (off_t)sizeof *out;
    if (end < 0 || pread(memory, out, sizeof *out, end) != (ssize_t)sizeof *out || (off_t)out->length != end)
        return NULL;
    char *bytes = xcalloc(1, out->length + 1);
    for (size_t at = 0; at < out->length;) {
        ssize_t got = pread(memory, bytes + at, out->length - at, (off_t)at);
        if (got <= 0) {
            free(bytes);
            return NULL;
        }
        at += (size_t)got;
    }
    return bytes;
}

static void on_end(void *context, uint32_t events)
{
    (void)events;
    struct aside *aside = context;
    struct child_end end;
    struct answer answer = {0};
    AUTO_ERROR failure = ERROR_INIT;
    (void)child_poll(&aside->child, &end, NULL); /* a subreaper may have been faster */
    char *bytes = read_answer(aside->memory, &answer);
    aside_done *done = aside->done;
    void *whom = aside->context;
    forget(aside);
    if (!bytes)
        error_set(&failure, ERROR_SYSTEM, "the child that was to do it was ended");
    else if (answer.failure != ERROR_NONE)
        error_set(&failure, answer.failure, "%s", bytes);
    done(whom, bytes ? bytes : "", answer.length, failure.kind == ERROR_NONE ? NULL : &failure);
    if (bytes)
        explicit_bzero(bytes, answer.length);
    free(bytes);
}

int aside_start(struct loop *loop, const struct scope *scope, const char *marker, aside_work *work,
                const void *what, aside_done *done, void *context, struct aside **out, struct error *err)
{
    int gate[2];
    AUTO_CLOSE int memory = memfd_create("aside", MFD_CLOEXEC);
    if (memory < 0 || pipe2(gate, O_CLOEXEC) < 0)
        return error_system(err, errno, "cannot start a child");
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        char ignored;
        close(gate[1]);
        /* Nothing is started before this process is where it belongs. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || read(gate[0], &ignored, 1) != 1)
            _exit(1);
        be_child(memory, marker, work, what);
    }
    int problem = errno;
    close(gate[0]);
    int pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
    if (pid < 0 || pidfd < 0) {
        problem = pid < 0 ? problem : errno;
        close(gate[1]); /* it ends by itself */
        return error_system(err, problem, "cannot start a child");
    }
    fcntl(pidfd, F_SETFD, FD_CLOEXEC);
    struct aside *aside = xcalloc(1, sizeof *aside);
    *aside =
        (struct aside){.child = {pid, pidfd}, .memory = TAKE_FD(memory), .done = done, .context = context};
    bool ready = (scope->kind != SCOPE_CGROUP || scope_adopt(scope, pid, err) == 0) &&
                 loop_watch(loop, pidfd, EPOLLIN, on_end, aside, &aside->watch, err) == 0;
    if (ready && write(gate[1], "g", 1) != 1) {
        error_system(err, errno, "cannot start a child");
        ready = false;
    }
    close(gate[1]);
    if (!ready) {
        aside_stop(&aside);
        return -1;
    }
    *out = aside;
    return 0;
}

void aside_stop(struct aside **handle)
{
    struct aside *aside = *handle;
    *handle = NULL;
    if (!aside)
        return;
    child_signal(&aside->child, SIGKILL);
    child_await(&aside->child, END_BOUND);
    forget(aside);
}
