/* A wall clock that was wrong for a while (before the first contact with a time server, after a suspended
 * machine woke): it hides no run and takes no history. */
#include "base/memory.h"
#include "base/moment.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#define DAY (86400 * NS_PER_S)

/* Ends at once, but for a run that finds `slow`. */
#define BODY                                                                                              \
    "play; task t1\nif [ -e $FOLDER/slow ]; then touch $FOLDER/there; until [ -e $FOLDER/go ]; do sleep " \
    "0.02; "                                                                                              \
    "done; fi\ntask t2; finish\n"

Test(clock, two_hours_ahead_for_one_run_hides_none_that_comes_after_it)
{
    struct lab *lab = damage_lab("", BODY);
    lab_clock(lab, "+2h");
    struct lab_result ahead = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, ahead.code, 0), "%s", ahead.err);
    cr_assert(eq(i64,
                 lab_sql_number(lab,
                                "SELECT max(started_ns) > (unixepoch('now') + 7000) * 1000000000 FROM run"),
                 1),
              "the clock was not ahead");
    lab_clock(lab, "");
    lab_write(lab, "slow", "%s", "");
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 60, "there"), "the phase did not begin");
    AUTO_FREE char *run = lab_sql(lab, "SELECT id FROM run WHERE outcome IS NULL");

    struct lab_result status = lab_run(lab, "status", "host", NULL);
    cr_expect(strstr(status.out, "running") != NULL, "%s", status.out);
    struct lab_result report = lab_run(lab, "report", "--json", NULL);
    cr_expect(strstr(report.out, run) != NULL, "%s", report.out);
    pid_t attach = lab_start(lab, "attach", "attach", "host", NULL);
    struct lab_result busy = lab_run(lab, "resume", "host", NULL);
    cr_expect(eq(int, busy.code, 75), "%s", busy.err);
    struct lab_result cancel = lab_run(lab, "cancel", "host", NULL);
    cr_expect(eq(int, cancel.code, 0), "%s", cancel.err);
    cr_expect(strstr(cancel.err, "ended as cancelled") != NULL, "%s", cancel.err);
    cr_expect(eq(int, lab_wait(lab, command, 10), 130));
    cr_expect(eq(int, lab_wait(lab, attach, 10), 130), "attach followed another run");

    lab_write(lab, "go", "%s", "");
    struct lab_result resume = lab_run(lab, "resume", NULL);
    cr_expect(eq(int, resume.code, 0), "%s", resume.err);
    AUTO_FREE char *parent = lab_sql(lab, "SELECT parent_id FROM run WHERE kind = 'resume'");
    cr_expect(eq(str, parent, run));
}

/* Twenty of a target stay anyhow: there are more, and some are older than those. */
Test(clock, two_hundred_days_ahead_for_one_run_takes_no_history)
{
    struct lab *lab = damage_lab("", BODY);
    struct lab_result first = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, first.code, 0), "%s", first.err);
    lab_add_runs(lab, 30, -31 * DAY, DAY);
    lab_clock(lab, "+200d");
    struct lab_result ahead = lab_run(lab, "run", "host", NULL);
    cr_assert(eq(int, ahead.code, 0), "%s", ahead.err);
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run"), 32), "%s", ahead.err);
    lab_clock(lab, "");
    struct lab_result later = lab_run(lab, "run", "host", NULL);
    cr_assert(eq(int, later.code, 0), "%s", later.err);
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run"), 33));
    struct lab_result asked = lab_run(lab, "store", "prune", "--keep", "1d", NULL);
    cr_assert(eq(int, asked.code, 0), "%s", asked.err);
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE id LIKE '01890000%'"), 18), "%s",
              asked.out);
}
