/* kill -9 of the worker, of the guard, of both, at every place of a run. Promise 2 of the design: no finished row is lost, the scope is empty within the
 * grace, it is said to be crashed, and the next acting command puts things in order. */
#include "base/memory.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Five tasks, a background process that left its session, then a wait without end; the second run ends at once. */
#define LONG_RUN                                                           \
    "if [ -e $FOLDER/again ]; then play; task again; finish; exit 0; fi\n" \
    "play; for i in 1 2 3 4 5; do task t$i; done\n"                        \
    "setsid sh -c 'trap \"\" TERM HUP INT; sleep 1000 & wait' &\n"         \
    "touch $FOLDER/there; sleep 1000\n"

static pid_t begin_long_run(struct lab *lab)
{
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 60, "there"), "the phase did not begin");
    return command;
}

static void hold_next_run_ok(struct lab *lab)
{
    lab_write(lab, "again", "yes\n");
    struct lab_result next = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, next.code, 0), "%s", next.err);
    cr_assert(strstr(next.err, "had died: its rows are closed as crashed") != NULL, "%s", next.err);
}

Test(crash, a_killed_worker_leaves_no_process_and_loses_no_row)
{
    struct lab *lab = damage_lab("", LONG_RUN);
    pid_t command = begin_long_run(lab);
    AUTO_FREE char *run = damage_run(lab);
    cr_assert(ge(int, damage_processes(lab, run), 3));
    damage_kill(damage_worker(lab));
    cr_assert(damage_empty(lab, run, 5), "processes of the run are left");
    cr_assert(eq(int, lab_wait(lab, command, 5), 70));
    AUTO_FREE char *said = lab_read(lab, "create.err");
    cr_assert(strstr(said, "crashed") != NULL, "%s", said);

    struct lab_result status = lab_run(lab, "status", NULL), json = lab_run(lab, "status", "--json", NULL);
    cr_assert(strstr(status.out, "crashed") && strstr(status.out, "0 process(es)"), "%s", status.out);
    cr_assert(strstr(json.out, "\"state\": \"crashed\"") != NULL, "%s", json.out);
    struct lab_result report = lab_run(lab, "report", NULL);
    cr_assert(strstr(report.out, "crashed") != NULL, "%s%s", report.out, report.err);
    cr_assert(not(damage_scope_exists(run)));

    hold_next_run_ok(lab);
    AUTO_FREE char *rows = xasprintf("SELECT count(*) FROM slowest_task WHERE run = '%s'", run);
    AUTO_FREE char *outcome = xasprintf("SELECT group_concat(outcome) FROM (SELECT outcome FROM phase_timing "
                                        "WHERE run = '%s' ORDER BY started_ns)",
                                        run);
    AUTO_FREE char *of_run = xasprintf("SELECT outcome || ' ' || exit_code FROM run WHERE id = '%s'", run);
    AUTO_FREE char *outcomes = lab_sql(lab, outcome), *ended = lab_sql(lab, of_run);
    cr_assert(eq(int, (int)lab_sql_number(lab, rows), 5));
    cr_assert(eq(str, outcomes, "crashed"));
    cr_assert(eq(str, ended, "crashed 70"));
}
