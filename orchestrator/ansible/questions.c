#include "ansible/questions.h"
#include "base/memory.h"
#include "base/moment.h"
#include "process/look.h"
#include "process/offspring.h"

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
};

static void start(struct running *running, struct question *question, const char *directory)
{
    AUTO_ERROR err = ERROR_INIT;
    *running = (struct running){.question = question, .child = CHILD_INIT};
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

/* What the process itself has started (a program that it asks): the words of each.
 * malloc'ed; NULL: nothing. */
static char *waits_for(pid_t pid)
{
    struct text out = TEXT_INIT;
    pid_t *found = NULL;
    int count = offspring_find(NULL, 0, &found);
    for (int i = 0; i < count; i++) {
        struct process_look look;
        if (!process_look(found[i], &look) || look.parent != pid)
            continue;
        if (out.length)
            text_add(&out, ", ");
        process_look_words(found[i], &out);
    }
    free(found);
    return out.length ? text_take(&out) : NULL;
}

/* Whether it is over; when the time is, it is killed with its session. */
static bool is_over(struct running *running, struct deadline deadline)
{
    struct question *question = running->question;
    if (question->failure)
        return true;
    int ended = child_poll(&running->child, &question->end, NULL);
    if (ended == 0 && deadline_over(deadline)) {
        question->waited_for = waits_for(running->child.pid);
        kill(-running->child.pid, SIGKILL);
        child_signal(&running->child, SIGKILL);
        struct pollfd gone = {running->child.pidfd, POLLIN, 0};
        deadline_poll(&gone, 1, deadline_in(2 * NS_PER_S));
        (void)child_poll(&running->child, &question->end, NULL);
        question->failure = xstrdup("it did not end in time and was killed");
        return true;
    }
    if (ended < 0)
        question->failure = xstrdup("it was lost");
    return ended != 0;
}

void questions_ask(struct question *questions, size_t count, const char *directory, struct deadline deadline)
{
    struct running running[AT_ONCE] = {{0}};
    size_t next = 0;
    for (;;) {
        struct pollfd look[AT_ONCE];
        nfds_t waiting = 0;
        bool changed = false;
        for (size_t i = 0; i < AT_ONCE; i++) {
            if (running[i].question && is_over(&running[i], deadline)) {
                finish(&running[i]);
                changed = true;
            }
            if (!running[i].question && next < count) {
                start(&running[i], &questions[next++], directory);
                changed = true;
            }
            if (running[i].question)
                look[waiting++] = (struct pollfd){running[i].child.pidfd, POLLIN, 0};
        }
        if (!waiting)
            return;
        if (!changed)
            deadline_poll(look, waiting, deadline);
    }
}

char *question_failure(const struct question *question)
{
    return xasprintf("Ansible: %s%s%s", question->failure, question->waited_for ? "; it waited for: " : "",
                     question->waited_for ? question->waited_for : "");
}

void question_clear(struct question *question)
{
    ansible_child_clear(&question->child);
    text_clear(&question->out);
    text_clear(&question->said);
    free(question->failure);
    free(question->waited_for);
    *question = (struct question){0};
}
