/* Runs that nobody follows, and following one that goes on: detach, attach, lost terminals. */
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Says something, waits for a word, says more, ends well. */
#define PATIENT                                                                                            \
    "echo said-before; play; task t1; touch $FOLDER/there; until [ -e $FOLDER/go ]; do sleep 0.02; done\n" \
    "echo said-after; task t2; finish\n"

static char *begin_detached(struct lab *lab)
{
    struct lab_result begun = lab_run(lab, "create", "host", "--detach", NULL);
    cr_assert(eq(int, begun.code, 0), "%s", begun.err);
    char *run = damage_run(lab);
    AUTO_FREE char *line = xasprintf("host %s\n", run),
                   *how = xasprintf("'triphase attach %s'", run + strlen(run) - 8);
    cr_assert(eq(str, begun.out, line));
    cr_assert(strstr(begun.err, how) != NULL, "%s", begun.err);
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE outcome IS NULL"), 1));
    cr_assert(lab_until_file(lab, 60, "there"));
    return run;
}

Test(detach, returns_when_the_run_is_begun_and_attach_ends_as_the_run_does)
{
    struct lab *lab = damage_lab("", PATIENT);
    AUTO_FREE char *run = begin_detached(lab);
    pid_t attach = lab_start(lab, "attach", "attach", NULL);
    lab_write(lab, "go", "yes\n");
    cr_assert(eq(int, lab_wait(lab, attach, 20), 0));
    cr_assert(damage_empty(lab, run, 2));
}

static bool has_joined(void *context)
{
    return damage_lines(context, "attach.err", "under way") > 0;
}

Test(detach, attach_sums_up_what_was_and_follows_what_comes)
{
    struct lab *lab = damage_lab("", PATIENT);
    AUTO_FREE char *run = begin_detached(lab);
    pid_t attach = lab_start(lab, "attach", "attach", run, NULL);
    cr_assert(lab_until(10, has_joined, lab));
    lab_write(lab, "go", "yes\n");
    cr_assert(eq(int, lab_wait(lab, attach, 20), 0));
    AUTO_FREE char *said = lab_read(lab, "attach.err");
    cr_assert(strstr(said, "transport    ok") && strstr(said, "said-after"), "%s", said);
    cr_assert(strstr(said, "said-before") == NULL, "%s", said);
    cr_assert(strstr(said, "--- host: provision") == NULL, "%s", said);
}

Test(detach, attach_to_a_run_that_has_ended_says_how_at_once)
{
    struct lab *lab = damage_lab("", "echo the-reason; play; task t1; exit 2\n");
    struct lab_result begun = lab_run(lab, "create", "host", "--detach", NULL);
    cr_assert(eq(int, begun.code, 0), "%s", begun.err);
    cr_assert(lab_until_sql(lab, 60, "SELECT count(*) FROM run WHERE outcome IS NOT NULL"));
    static const char *const words[] = {NULL, "host"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        struct lab_result ended = lab_run(lab, "attach", words[i], NULL);
        cr_assert(eq(int, ended.code, 2), "%s", ended.err);
        cr_assert(strstr(ended.err, "ended as failed") && strstr(ended.err, "the-reason"), "%s", ended.err);
    }
    struct lab_result nobody = lab_run(lab, "attach", "nobody", NULL);
    cr_assert(eq(int, nobody.code, 64), "%s", nobody.err);
}

Test(detach, attach_to_a_run_whose_worker_dies_says_crashed)
{
    struct lab *lab = damage_lab("", PATIENT);
    AUTO_FREE char *run = begin_detached(lab);
    pid_t attach = lab_start(lab, "attach", "attach", run, NULL);
    cr_assert(lab_until(10, has_joined, lab));
    damage_kill(damage_worker(lab));
    cr_assert(eq(int, lab_wait(lab, attach, 10), 70));
    struct lab_result later = lab_run(lab, "attach", run, NULL);
    cr_assert(eq(int, later.code, 70), "%s", later.err);
    cr_assert(strstr(later.err, "crashed") != NULL, "%s", later.err);
}

Test(detach, an_interrupt_of_attach_ends_the_run_unless_it_is_told_not_to)
{
    struct lab *lab = damage_lab("    grace: 20s\n", PATIENT);
    AUTO_FREE char *run = begin_detached(lab);
    pid_t looks = lab_start(lab, "attach", "attach", run, "--no-cancel", NULL);
    cr_assert(lab_until(10, has_joined, lab));
    kill(looks, SIGINT);
    cr_assert(eq(int, lab_wait(lab, looks, 5), 75));
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE outcome IS NULL"), 1));
    AUTO_FREE char *path = xasprintf("%s/attach.err", lab_folder(lab));
    cr_assert(unlink(path) == 0);
    pid_t attach = lab_start(lab, "attach", "attach", run, NULL);
    cr_assert(lab_until(10, has_joined, lab));
    kill(attach, SIGINT);
    cr_assert(eq(int, lab_wait(lab, attach, 10), 130));
    cr_assert(eq(int, damage_lines(lab, "attach.err", "asked to end; once more ends it at once"), 1));
    AUTO_FREE char *row = lab_sql(lab, "SELECT outcome || ' ' || exit_code FROM run");
    cr_assert(eq(str, row, "cancelled 130"));
    cr_assert(damage_empty(lab, run, 2));
}

Test(detach, a_hang_up_of_attach_changes_nothing)
{
    struct lab *lab = damage_lab("", PATIENT);
    AUTO_FREE char *run = begin_detached(lab);
    pid_t attach = lab_start(lab, "attach", "attach", run, NULL);
    cr_assert(lab_until(10, has_joined, lab));
    kill(attach, SIGHUP);
    cr_assert(eq(int, lab_wait(lab, attach, 5), 128 + SIGHUP));
    lab_write(lab, "go", "yes\n");
    cr_assert(lab_until_sql(lab, 20, "SELECT count(*) FROM run WHERE outcome = 'ok'"));
}

Test(detach, what_keeps_a_run_from_beginning_is_said_with_its_code)
{
    struct lab *lab = damage_lab("", PATIENT);
    AUTO_FREE char *run = begin_detached(lab);
    struct lab_result busy = lab_run(lab, "create", "host", "--detach", NULL);
    cr_assert(eq(int, busy.code, 75), "%s", busy.err);
    cr_assert(strstr(busy.err, id_tail(run, 8)) && !*busy.out, "%s%s", busy.out, busy.err);
    lab_write(lab, "go", "yes\n");
    cr_assert(lab_until_sql(lab, 20, "SELECT count(*) FROM run WHERE outcome = 'ok'"));
    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_work\n  tasks: nonsense\n");
    struct lab_result wrong = lab_run(lab, "run", "host", "--detach", NULL);
    cr_assert(eq(int, wrong.code, 78), "%s", wrong.err);
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run"), 1));
}

Test(detach, run_destroy_and_resume_detach_too)
{
    struct lab *lab =
        damage_lab("    attempts: 1\n", "play; task t1; [ -e $FOLDER/good ] || exit 2; finish\n");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 2), "%s", made.err);
    lab_write(lab, "good", "yes\n");
    static const char *const words[][3] = {{"resume", "--detach"}, {"run", "host", "--detach"}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        struct lab_result begun = lab_run(lab, words[i][0], words[i][1], words[i][2], NULL);
        cr_assert(eq(int, begun.code, 0), "%s", begun.err);
        struct lab_result attached = lab_run(lab, "attach", NULL);
        cr_assert(eq(int, attached.code, 0), "%s", attached.err);
    }
    struct lab_result gone = lab_run(lab, "destroy", "host", "--yes", "--detach", NULL);
    cr_assert(eq(int, gone.code, 0), "%s", gone.err);
    struct lab_result attached = lab_run(lab, "attach", NULL);
    cr_assert(eq(int, attached.code, 0), "%s", attached.err);
    AUTO_FREE char *kinds = lab_sql(lab, "SELECT group_concat(kind || ' ' || outcome) FROM (SELECT * FROM run"
                                         " ORDER BY number)");
    cr_assert(eq(str, kinds, "create failed,resume ok,run ok,destroy ok"));
}

static struct lab *two_targets(void)
{
    struct lab *lab = damage_lab("", PATIENT);
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    AUTO_FREE char *second = xstrdup(strstr(project, "  host:\n") + strlen("  host:\n"));
    lab_write(lab, "triphase.yml", "%s  other:\n%s", project, second);
    return lab;
}

Test(detach, several_targets_are_begun_all_at_once_or_not_at_all)
{
    struct lab *lab = two_targets();
    struct lab_result refused = lab_run(lab, "create", "--detach", NULL);
    cr_assert(eq(int, refused.code, 64), "%s", refused.err);
    cr_assert(strstr(refused.err, "--jobs 2") != NULL, "%s", refused.err);
    struct lab_result begun = lab_run(lab, "create", "--detach", "--jobs", "2", NULL);
    cr_assert(eq(int, begun.code, 0), "%s", begun.err);
    cr_assert(strstr(begun.out, "host 0") && strstr(begun.out, "other 0"), "%s", begun.out);
    struct lab_result which = lab_run(lab, "attach", NULL), all = lab_run(lab, "cancel", NULL);
    cr_assert(eq(int, which.code, 64), "%s", which.err);
    cr_assert(strstr(which.err, "(host)") && strstr(which.err, "(other)"), "%s", which.err);
    cr_assert(eq(int, all.code, 64), "%s", all.err);
    lab_write(lab, "go", "yes\n");
    cr_assert(lab_until_sql(lab, 30, "SELECT count(*) = 2 FROM run WHERE outcome = 'ok'"));
}

/* The program on a terminal that controls its session; `master` is the terminal's other end. */
static pid_t on_terminal(struct lab *lab, int *master)
{
    char name[64];
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert(fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0 && ptsname_r(fd, name, sizeof name) == 0);
    *master = fd;
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        setsid();
        int slave = open(name, O_RDWR);
        if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
            _exit(99);
        for (int to = 0; to < 3; to++)
            dup2(slave, to);
        signal(SIGHUP, SIG_DFL); /* as a login's shell has it; the tests themselves may run under nohup */
        execl(getenv("TRIPHASE"), "triphase", "-C", lab_folder(lab), "create", (char *)NULL);
        _exit(98);
    }
    return pid;
}

static void hold_terminal_closed(struct lab *lab, int64_t targets)
{
    int master;
    pid_t command = on_terminal(lab, &master);
    cr_assert(lab_until_file(lab, 60, "there"));
    close(master); /* as a terminal's window, or an ssh login, that goes away */
    if (targets == 1)
        cr_assert(eq(int, lab_wait(lab, command, 10), 128 + SIGHUP));
    lab_write(lab, "go", "yes\n");
    AUTO_FREE char *all_ok = xasprintf("SELECT count(*) = %d FROM run WHERE outcome = 'ok'", (int)targets);
    cr_assert(lab_until_sql(lab, 60, all_ok), "not every run ended well");
    if (targets > 1)
        cr_assert(eq(int, lab_wait(lab, command, 20), 0));
}

Test(detach, a_closed_terminal_changes_nothing_for_the_run)
{
    hold_terminal_closed(damage_lab("", PATIENT), 1);
}

Test(detach, a_closed_terminal_changes_nothing_for_targets_that_are_still_to_be_begun)
{
    hold_terminal_closed(two_targets(), 2);
}
