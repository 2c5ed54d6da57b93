/* What is looked for after a destroy is found by its names and marks, and nothing else is. */
#include "control/leftovers.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "unit/folder.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char *left_of(const char *state, const char *machine, const char *run)
{
    const char *const runs[] = {run, NULL};
    AUTO_WORDS left = WORDS_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct text out = TEXT_INIT;
    cr_assert(leftovers_look(state, "static", machine, runs, &left, &err) == 0, "%s", error_text(&err));
    for (size_t i = 0; i < left.count; i++)
        text_addf(&out, "%s\n", left.items[i]);
    return text_take(&out);
}

TestSuite(leftovers, .fini = folder_clean);

/* A process that holds NAME=VALUE in its environment; ended by the caller. */
static pid_t process_with(const char *marker)
{
    int ready[2];
    cr_assert(pipe(ready) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        const char *const environment[] = {marker, NULL};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ready[1], 9);
        execle("/bin/sh", "sh", "-c", "echo >&9; exec 9>&- sleep 100", (char *)NULL, environment);
        _exit(127);
    }
    char byte;
    close(ready[1]);
    cr_assert(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    return pid;
}

Test(leftovers, of_nothing_are_none)
{
    char machine[ID_SIZE], run[ID_SIZE];
    id_make(machine);
    id_make(run);
    AUTO_FREE char *left = left_of(folder(), machine, run);
    cr_assert(eq(str, left, ""));
}

Test(leftovers, are_the_folder_the_sockets_and_the_processes_and_nobody_elses)
{
    char machine[ID_SIZE], run[ID_SIZE], other[ID_SIZE];
    id_make(machine);
    id_make(run);
    id_make(other);
    AUTO_FREE char *at = layout_machine(folder(), machine), *neighbour = layout_machine(folder(), other);
    AUTO_FREE char *sockets = layout_sockets(run, TRANSPORT_TAILNET);
    AUTO_FREE char *mark = xasprintf("TRIPHASE_RUN=%s", run), *strange = xasprintf("TRIPHASE_RUN=%s", other);
    cr_assert(file_make_dirs(at, 0700, NULL) == 0 && file_make_dirs(neighbour, 0700, NULL) == 0 &&
              file_make_dirs(sockets, 0700, NULL) == 0);
    pid_t ours = process_with(mark), theirs = process_with(strange);
    AUTO_FREE char *left = left_of(folder(), machine, run);
    kill(ours, SIGKILL);
    kill(theirs, SIGKILL);
    waitpid(ours, NULL, 0);
    waitpid(theirs, NULL, 0);
    file_remove_tree(sockets, NULL);
    AUTO_FREE char *wanted = xasprintf("sockets %s\n1 processes with %s\nfolder %s\n", sockets, mark, at);
    cr_assert(eq(str, left, wanted));
}
