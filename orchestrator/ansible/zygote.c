#include "ansible/zygote.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define LEAVE_BOUND (3 * NS_PER_S)

enum { COMMAND_WORDS = 3 };

struct zygote {
    struct words command;
    struct child child;
    int control;
};

int zygote_start(const char *const command[COMMAND_WORDS], const char *const *environment,
                 const char *directory, const struct scope *scope, struct zygote **out, struct error *err)
{
    int ends[2];
    if (scope->kind != SCOPE_CGROUP)
        return error_set(err, ERROR_MISSING,
                         "cannot start an interpreter for all phases: there is no cgroup");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_system(err, errno, "cannot start an interpreter for all phases");
    AUTO_CLOSE int control = ends[0];
    AUTO_CLOSE int theirs = ends[1];
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, command[0], command[1], "--zygote", NULL);
    words_addf(&argv, "%d", theirs);
    words_add(&argv, command[2]);
    struct child_plan plan = {.argv = words_argv(&argv),
                              .environment = environment,
                              .directory = directory,
                              .in = -1,
                              .out = -1,
                              .error = -1,
                              .keep = (const int[]){theirs, -1},
                              .scope = scope};
    struct child child;
    if (child_start(&plan, &child, err) < 0)
        return -1;
    struct zygote *zygote = xcalloc(1, sizeof *zygote);
    for (int i = 0; i < COMMAND_WORDS; i++)
        words_add(&zygote->command, command[i]);
    zygote->child = child;
    zygote->control = TAKE_FD(control);
    *out = zygote;
    return 0;
}

int zygote_fork(struct zygote *zygote, struct spare **out, struct error *err)
{
    return warm_fork(zygote->control, words_argv(&zygote->command), out, err);
}

void zygote_dismiss(struct zygote **zygote)
{
    struct zygote *left = TAKE(*zygote);
    if (!left)
        return;
    fd_close(&left->control);
    if (!child_await(&left->child, LEAVE_BOUND)) {
        child_signal(&left->child, SIGKILL);
        child_await(&left->child, LEAVE_BOUND);
    }
    words_clear(&left->command);
    child_close(&left->child);
    free(left);
}
