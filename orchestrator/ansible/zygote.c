#include "ansible/zygote.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"

#include <signal.h>

#define LEAVE_BOUND (3 * NS_PER_S)

enum { COMMAND_WORDS = 3 };

struct zygote {
    struct words command, environment;
    struct child child;
    int control;
};

int zygote_start(const char *const command[COMMAND_WORDS], const char *const *environment,
                 const char *directory, const struct scope *scope, struct zygote **out, struct error *err)
{
    struct child child = CHILD_INIT;
    int control = -1;
    if (warm_begin("--zygote", command, environment, directory, scope, &child, &control, err) < 0)
        return -1;
    struct zygote *zygote = xcalloc(1, sizeof *zygote);
    for (int i = 0; i < COMMAND_WORDS; i++)
        words_add(&zygote->command, command[i]);
    words_add_list(&zygote->environment, environment);
    zygote->child = child;
    zygote->control = control;
    *out = zygote;
    return 0;
}

int zygote_fork(struct zygote *zygote, struct spare **out, struct error *err)
{
    return warm_fork(zygote->control, words_argv(&zygote->command), words_argv(&zygote->environment), out,
                     err);
}

void zygote_dismiss(struct zygote **zygote)
{
    struct zygote *left = TAKE(*zygote);
    if (!left)
        return;
    fd_close(&left->control);
    child_await_or_kill(&left->child, LEAVE_BOUND);
    words_clear(&left->command);
    words_clear(&left->environment);
    child_close(&left->child);
    free(left);
}
