#include "action/plan_ask.h"
#include "base/memory.h"
#include "base/moment.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { AT_ONCE = 2, OUTPUT_MAX = 8 << 20 };

/* One that runs. Output goes to files in memory: nothing has to be read while it runs. */
struct running {
    struct question *question;
    struct child child;
    int out, error;
    int64_t until;
};

static void start(struct running *running, struct question *question, const char *directory, int64_t bound_ns)
{
    AUTO_ERROR err = ERROR_INIT;
    *running =
        (struct running){.question = question, .child = CHILD_INIT, .until = moment_monotonic() + bound_ns};
    running->out = memfd_create("triphase-out", MFD_CLOEXEC);
    running->error = memfd_create("triphase-err", MFD_CLOEXEC);
    struct child_plan plan = {
        .argv = words_argv(&question->child.argv),
        .environment = words_argv(&question->child.environment),
        .directory = directory,
        .in = -1,
        .out = running->out,
        .error = running->error,
        .keep = question->child.keep,
        .die_with_parent = true,
    };
    if (running->out < 0 || running->error < 0)
        question->failure = xasprintf("its output cannot be taken: %s", strerror(errno));
    else if (child_start(&plan, &running->child, &err) < 0)
        question->failure = xstrdup(error_text(&err));
}

static void take(int fd, struct text *out)
{
    char buffer[65536];
    ssize_t count;
    for (off_t at = 0; at < OUTPUT_MAX && (count = pread(fd, buffer, sizeof(buffer), at)) > 0; at += count)
        text_add_bytes(out, buffer, (size_t)count);
}

static void finish(struct running *running)
{
    if (running->child.pid > 0)
        child_close(&running->child);
    if (!running->question->failure) {
        take(running->out, &running->question->out);
        take(running->error, &running->question->said);
    }
    fd_close(&running->out);
    fd_close(&running->error);
    *running = (struct running){.out = -1, .error = -1};
}

/* Whether it is over; at its bound it is killed with its session. */
static bool is_over(struct running *running)
{
    struct question *question = running->question;
    if (question->failure)
        return true;
    int ended = child_poll(&running->child, &question->end, NULL);
    if (ended == 0 && moment_monotonic() >= running->until) {
        kill(-running->child.pid, SIGKILL);
        child_signal(&running->child, SIGKILL);
        struct pollfd gone = {running->child.pidfd, POLLIN, 0};
        poll(&gone, 1, 2000);
        (void)child_poll(&running->child, &question->end, NULL);
        question->failure = xstrdup("it did not end in time and was killed");
        return true;
    }
    if (ended < 0)
        question->failure = xstrdup("it was lost");
    return ended != 0;
}

void questions_ask(struct question *questions, size_t count, const char *directory, int64_t bound_ns)
{
    struct running running[AT_ONCE] = {{0}};
    size_t next = 0;
    for (;;) {
        struct pollfd look[AT_ONCE];
        nfds_t waiting = 0;
        int64_t until = INT64_MAX;
        bool changed = false;
        for (size_t i = 0; i < AT_ONCE; i++) {
            if (running[i].question && is_over(&running[i])) {
                finish(&running[i]);
                changed = true;
            }
            if (!running[i].question && next < count) {
                start(&running[i], &questions[next++], directory, bound_ns);
                changed = true;
            }
            if (running[i].question) {
                look[waiting++] = (struct pollfd){running[i].child.pidfd, POLLIN, 0};
                until = running[i].until < until ? running[i].until : until;
            }
        }
        if (!waiting)
            return;
        int64_t left = until - moment_monotonic();
        if (!changed)
            poll(look, waiting, left > 0 ? (int)(left / NS_PER_MS) + 1 : 0);
    }
}

void question_free(struct question *question)
{
    ansible_child_free(&question->child);
    text_free(&question->out);
    text_free(&question->said);
    free(question->failure);
    *question = (struct question){0};
}
