/* Ending a run on purpose: ^C and TERM end it in order, a second one at once; a lost terminal or
 * follower changes nothing. */
#include "base/id.h"
#include "base/memory.h"
#include "format/sql.h"
#include "lab/damage.h"
#include "lab/phase.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Ends in order when told to, and leaves a word that it did. */
#define POLITE                                                                               \
    "play; task t1; trap 'echo polite >$FOLDER/polite; kill $! 2>/dev/null; exit 99' TERM\n" \
    "sleep 1000 & touch $FOLDER/there; wait\n"
/* Does not end for TERM. It waits for the sleep, so that the trap is not put off until that ends; and the
 * trap starts nothing that TERM could end. */
#define STUBBORN                                                         \
    "play; task t1; trap ': >$FOLDER/asked' TERM; touch $FOLDER/there\n" \
    "while :; do sleep 1000 & wait $!; done\n"
/* Waits for a word, then ends well. */
#define PATIENT \
    "play; task t1; touch $FOLDER/there; until [ -e $FOLDER/go ]; do sleep 0.02; done; task t2; finish\n"

static pid_t begin(struct lab *lab)
{
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 60, "there"), "the phase did not begin");
    return command;
}

static void hold_cancelled(struct lab *lab, const char *run)
{
    AUTO_FREE char *query = xasprintf("SELECT run.outcome || ' ' || run.exit_code || ' ' || step.outcome || "
                                      "' ' || step.survivors_here FROM run JOIN step ON "
                                      "step.run = run.number WHERE run.id = '%s' AND step.name = 'work'",
                                      run);
    AUTO_FREE char *row = lab_sql(lab, query);
    cr_assert(eq(str, row, "cancelled 130 cancelled 0"));
    cr_assert(eq(int, damage_processes(lab, run), 0));
    cr_assert(not(damage_scope_exists(run)));
    struct lab_result status = lab_run(lab, "status", NULL);
    cr_assert(strstr(status.out, "cancelled") != NULL, "%s", status.out);
}

#define ASKED "asked to end; once more ends it at once"

/* Of the command that `begin` began: the lines that end with `words`. */
static int said(struct lab *lab, const char *run, const char *words)
{
    AUTO_FREE char *line = xasprintf("host: run %s is %s", id_tail(run, 8), words);
    return damage_lines(lab, "create.err", line);
}

static bool has_said_asked(void *lab)
{
    AUTO_FREE char *run = damage_run(lab);
    return said(lab, run, ASKED) == 1;
}

static void hold_first_signal_is_graceful(int number, bool to_worker)
{
    struct lab *lab = damage_lab("    grace: 20s\n", POLITE);
    pid_t command = begin(lab);
    AUTO_FREE char *run = damage_run(lab);
    kill(to_worker ? damage_worker(lab) : command, number);
    cr_assert(eq(int, lab_wait(lab, command, 10), 130));
    cr_assert(lab_exists(lab, "polite"), "the child was not asked to end");
    cr_assert(eq(int, said(lab, run, ASKED), to_worker ? 0 : 1));
    cr_assert(eq(int, said(lab, run, "ended at once"), 0));
    cr_assert(eq(int, damage_lines(lab, "create.err", "  'triphase resume host' goes on at work"), 1));
    hold_cancelled(lab, run);
    lab_expect_rows(lab, "a signal", run, "cancelled", "cancelled");
    AUTO_FREE char *journal = xasprintf(".triphase/runs/%s/run.ndjson", run);
    cr_assert(eq(int, damage_lines(lab, journal, "\"verdict\":\"cancelled\",\"seen\":\""), 2));
}

Test(cancel, a_first_interrupt_of_the_command_ends_the_run_in_order)
{
    hold_first_signal_is_graceful(SIGINT, false);
}

Test(cancel, a_first_term_of_the_command_ends_the_run_in_order)
{
    hold_first_signal_is_graceful(SIGTERM, false);
}

Test(cancel, a_first_term_of_the_worker_ends_the_run_in_order)
{
    hold_first_signal_is_graceful(SIGTERM, true);
}

Test(cancel, a_second_interrupt_ends_it_at_once)
{
    struct lab *lab = damage_lab("    grace: 10m\n", STUBBORN);
    pid_t command = begin(lab);
    AUTO_FREE char *run = damage_run(lab);
    kill(command, SIGINT);
    /* Still there: it does not end for TERM, and its grace is long. */
    cr_assert(lab_until_file(lab, 10, "asked"));
    cr_assert(lab_until(10, has_said_asked, lab), "the interrupt was not acknowledged");
    struct lab_result status = lab_run(lab, "status", NULL);
    cr_assert(strstr(status.out, "running") != NULL, "%s", status.out);
    kill(command, SIGINT);
    cr_assert(eq(int, lab_wait(lab, command, 5), 130));
    cr_assert(eq(int, said(lab, run, "ended at once"), 1));
    hold_cancelled(lab, run);
}

Test(cancel, the_grace_bounds_a_child_that_ignores_the_first)
{
    struct lab *lab = damage_lab("    grace: 1s\n", STUBBORN);
    pid_t command = begin(lab);
    AUTO_FREE char *run = damage_run(lab);
    kill(command, SIGTERM);
    cr_assert(eq(int, lab_wait(lab, command, 6), 130));
    hold_cancelled(lab, run);
}

static void hold_goes_on(int number)
{
    struct lab *lab = damage_lab("", PATIENT);
    pid_t command = begin(lab);
    AUTO_FREE char *run = damage_run(lab);
    pid_t worker = damage_worker(lab);
    kill(command, number);
    cr_assert(eq(int, lab_wait(lab, command, 5), 128 + number));
    cr_assert(damage_alive(worker));
    lab_write(lab, "go", "yes\n");
    cr_assert(damage_gone(worker, 20));
    AUTO_FREE char *query = xasprintf("SELECT outcome || ' ' || exit_code FROM run WHERE id = '%s'", run);
    AUTO_FREE char *row = lab_sql(lab, query);
    cr_assert(eq(str, row, "ok 0"));
    cr_assert(damage_empty(lab, run, 2), "the guard or something else stayed");
}

Test(cancel, a_hang_up_of_the_command_changes_nothing)
{
    hold_goes_on(SIGHUP);
}

Test(cancel, a_follower_killed_changes_nothing)
{
    hold_goes_on(SIGKILL);
}

Test(cancel, a_hang_up_of_the_worker_itself_changes_nothing)
{
    struct lab *lab = damage_lab("", PATIENT);
    pid_t command = begin(lab);
    kill(damage_worker(lab), SIGHUP);
    lab_write(lab, "go", "yes\n");
    cr_assert(eq(int, lab_wait(lab, command, 20), 0));
}

Test(cancel, between_two_attempts_it_does_not_wait_for_the_pause)
{
    struct lab *lab = damage_lab("    attempts: 2\n    retry_on: [failed]\n    retry_pause: 10m\n",
                                 "play; task t1; exit 2\n");
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    /* Behind the look at the host, which a first cancel leaves alone. */
    cr_assert(lab_until_sql(lab, 60, "SELECT count(*) FROM step WHERE name = 'sweep' AND outcome = 'ok'"));
    kill(command, SIGTERM);
    cr_assert(eq(int, lab_wait(lab, command, 5), 130));
    AUTO_FREE char *row = lab_sql(lab, "SELECT outcome || ' ' || exit_code FROM run");
    cr_assert(eq(str, row, "cancelled 130"));
}

Test(cancel, a_transport_that_is_looked_for_is_given_up)
{
    struct lab *lab = damage_lab("", PATIENT);
    kill(lab_sshd_pid(lab), SIGSTOP);
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(
        lab_until_sql(lab, 60, "SELECT count(*) FROM step WHERE name = 'transport' AND outcome IS NULL"));
    AUTO_FREE char *run = damage_run(lab);
    kill(command, SIGINT);
    cr_assert(eq(int, lab_wait(lab, command, 8), 130));
    kill(lab_sshd_pid(lab), SIGCONT);
    cr_assert(eq(int, damage_processes(lab, run), 0));
    AUTO_FREE char *row = lab_sql(lab, "SELECT run.outcome || ' ' || step.outcome FROM run JOIN step ON "
                                       "step.run = run.number WHERE step.name = 'transport'");
    cr_assert(eq(str, row, "cancelled cancelled"));
}

Test(cancel, of_several_targets_ends_the_one_that_runs_and_begins_no_other)
{
    struct lab *lab = damage_lab("", POLITE);
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    char *host = strstr(project, "  host:\n");
    AUTO_FREE char *second = xstrdup(host + strlen("  host:\n"));
    lab_write(lab, "triphase.yml", "%s  other:\n%s", project, second);
    pid_t command = lab_start(lab, "create", "create", NULL);
    cr_assert(lab_until_file(lab, 60, "there"), "the phase did not begin");
    kill(command, SIGINT);
    cr_assert(eq(int, lab_wait(lab, command, 10), 130));
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run"), 1));
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE outcome = 'cancelled'"), 1));
}

/* From another terminal: triphase cancel. */

static void hold_cancel_says(const struct lab_result *cancel, const char *run)
{
    AUTO_FREE char *said =
        xasprintf("run %s ended as cancelled; nothing of it is left here after ", id_tail(run, 8));
    cr_assert(eq(int, cancel->code, 0), "%s", cancel->err);
    cr_assert(strstr(cancel->err, said) != NULL, "%s", cancel->err);
    cr_assert(strstr(cancel->err, run) == NULL, "%s", cancel->err);
}

Test(cancel, from_elsewhere_ends_it_in_order_and_says_when_nothing_is_left)
{
    struct lab *lab = damage_lab("    grace: 20s\n", POLITE);
    pid_t command = begin(lab);
    AUTO_FREE char *run = damage_run(lab);
    struct lab_result cancel = lab_run(lab, "cancel", NULL);
    cr_assert(eq(int, damage_processes(lab, run), 0));
    cr_assert(not(damage_scope_exists(run)));
    hold_cancel_says(&cancel, run);
    cr_assert(lab_exists(lab, "polite"), "the child was not asked to end");
    cr_assert(eq(int, lab_wait(lab, command, 10), 130));
    hold_cancelled(lab, run);
}

Test(cancel, now_from_elsewhere_does_not_wait_for_a_child_that_ignores_it)
{
    struct lab *lab = damage_lab("    grace: 10m\n", STUBBORN);
    pid_t command = begin(lab);
    AUTO_FREE char *run = damage_run(lab);
    struct lab_result cancel = lab_run(lab, "cancel", "host", "--now", "--json", NULL);
    cr_assert(eq(int, cancel.code, 0), "%s", cancel.err);
    cr_assert(lt(dbl, cancel.seconds, 10.0));
    cr_assert(strstr(cancel.out, "\"outcome\": \"cancelled\"") && strstr(cancel.out, "\"exit\": 130"), "%s",
              cancel.out);
    cr_assert(eq(int, lab_wait(lab, command, 10), 130));
    hold_cancelled(lab, run);
}

Test(cancel, a_second_one_from_elsewhere_ends_it_at_once)
{
    struct lab *lab = damage_lab("    grace: 10m\n", STUBBORN);
    pid_t command = begin(lab);
    AUTO_FREE char *run = damage_run(lab);
    pid_t first = lab_start(lab, "first", "cancel", run, NULL);
    cr_assert(lab_until_file(lab, 10, "asked"));
    cr_assert(damage_alive(first) && damage_alive(command));
    struct lab_result second = lab_run(lab, "cancel", run, NULL);
    hold_cancel_says(&second, run);
    cr_assert(eq(int, lab_wait(lab, first, 10), 0));
    cr_assert(eq(int, lab_wait(lab, command, 10), 130));
    hold_cancelled(lab, run);
}

Test(cancel, now_ends_a_worker_that_is_stopped)
{
    struct lab *lab = damage_lab("    grace: 10m\n", STUBBORN);
    pid_t command = begin(lab), worker = damage_worker(lab);
    AUTO_FREE char *run = damage_run(lab);
    kill(worker, SIGSTOP);
    struct lab_result cancel = lab_run(lab, "cancel", "--now", NULL);
    hold_cancel_says(&cancel, run);
    cr_assert(eq(int, lab_wait(lab, command, 10), 130));
}

Test(cancel, of_a_run_whose_worker_died_puts_things_in_order_and_says_crashed)
{
    struct lab *lab = damage_lab("", STUBBORN);
    pid_t command = begin(lab);
    AUTO_FREE char *run = damage_run(lab);
    damage_kill_both(lab);
    cr_assert(eq(int, lab_wait(lab, command, 5), 70));
    cr_assert(gt(int, damage_processes(lab, run), 0));
    struct lab_result cancel = lab_run(lab, "cancel", NULL);
    cr_assert(eq(int, cancel.code, 0), "%s", cancel.err);
    cr_assert(strstr(cancel.err, "ended as crashed; nothing of it is left") != NULL, "%s", cancel.err);
    cr_assert(eq(int, damage_processes(lab, run), 0));
    AUTO_FREE char *row = lab_sql(lab, "SELECT outcome FROM run");
    cr_assert(eq(str, row, "crashed"));
}

Test(cancel, where_nothing_runs_says_so_and_is_well)
{
    struct lab *lab = damage_lab("", "play; task t1; finish\n");
    struct lab_result none = lab_run(lab, "cancel", NULL);
    cr_assert(eq(int, none.code, 0), "%s", none.err);
    cr_assert(strstr(none.err, "nothing runs") != NULL, "%s", none.err);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    struct lab_result over = lab_run(lab, "cancel", "host", NULL),
                      unknown = lab_run(lab, "cancel", "nobody", NULL);
    cr_assert(eq(int, over.code, 0), "%s", over.err);
    cr_assert(strstr(over.err, "has ended as ok") != NULL, "%s", over.err);
    cr_assert(eq(int, unknown.code, 64), "%s", unknown.err);
}

static void hold_untouched(struct lab *lab, const char *change, const char *said, int code)
{
    AUTO_SQL *db = NULL;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *store = xasprintf("%s/.triphase/store.db", lab_folder(lab));
    cr_assert(sql_open(store, SQL_WRITE, 5000, &db, &err) == 0 && sql_run(db, change, &err) == 0, "%s",
              error_text(&err));
    sql_close(db);
    db = NULL;
    struct lab_result cancel = lab_run(lab, "cancel", "host", "--now", NULL);
    cr_assert(eq(int, cancel.code, code), "%s", cancel.err);
    cr_assert(strstr(cancel.err, said) != NULL, "%s", cancel.err);
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE outcome IS NULL"), 1));
}

Test(cancel, a_run_of_another_machine_or_boot_is_only_told_of)
{
    struct lab *lab = damage_lab("", PATIENT);
    pid_t command = begin(lab);
    AUTO_FREE char *boot = lab_sql(lab, "SELECT boot_id FROM run"),
                   *node = lab_sql(lab, "SELECT node FROM run");
    AUTO_FREE char *back = xasprintf("UPDATE run SET boot_id = '%s', node = 'elsewhere'", boot);
    hold_untouched(lab, "UPDATE run SET boot_id = 'another'", "another machine or boot", 64);
    hold_untouched(lab, back, "(elsewhere)", 64);
    /* A process with the worker's number and start, but without the lock. */
    AUTO_FREE char *home = xasprintf("UPDATE run SET node = '%s'", node);
    AUTO_FREE char *lock = xasprintf("%s/.triphase/locks/host", lab_folder(lab));
    cr_assert(unlink(lock) == 0);
    hold_untouched(lab, home, "is not in its hands", 75);
    lab_write(lab, "go", "yes\n");
    cr_assert(eq(int, lab_wait(lab, command, 20), 0));
}

Test(cancel, a_term_while_the_plan_is_made_ends_with_130_and_begins_nothing)
{
    struct lab *lab = damage_lab("", "play; finish");
    lab_write(lab, "inventory/hosts.yml", "all:\n  vars:\n    colour: red\n");
    lab_write(lab, "bin/ansible-inventory", "#!/bin/sh\n: >%s/planning\nexec sleep 1000\n", lab_folder(lab));
    pid_t command = lab_start(lab, "create", "create", NULL);
    cr_assert(lab_until_file(lab, 30, "planning"));
    kill(command, SIGTERM);
    cr_assert(eq(int, lab_wait(lab, command, 5), 130));
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run"), 0));
}

Test(cancel, of_anything_where_nothing_ever_ran_says_so_and_is_well)
{
    struct lab *lab = damage_lab("", "play; finish");
    struct lab_result result = lab_run(lab, "cancel", "host", NULL);
    cr_assert(eq(int, result.code, 0), "%s", result.err);
    cr_assert(strstr(result.err, "nothing runs") != NULL, "%s", result.err);
}

Test(cancel, forget_is_refused_while_a_run_has_the_target)
{
    struct lab *lab = damage_lab("", PATIENT);
    pid_t command = begin(lab);
    struct lab_result refused = lab_run(lab, "forget", "host", "--yes", NULL);
    cr_expect(eq(int, refused.code, 75), "%s", refused.err);
    lab_write(lab, "go", "yes\n");
    cr_assert(eq(int, lab_wait(lab, command, 30), 0));
}

Test(cancel, the_log_that_is_shown_is_of_the_phase_that_was_ended_not_of_the_look_at_its_host)
{
    struct lab *lab =
        damage_lab("    deadline: 1s\n", "play; echo the last words; touch $FOLDER/there; sleep 1000 & wait");
    struct lab_result result = lab_run(lab, "create", NULL);
    cr_assert(eq(int, result.code, 5), "%s", result.err);
    const char *end = strstr(result.err, " ended as deadline");
    cr_assert(end && strstr(end, "the last words") && strstr(end, "-work.1.log"), "%s", result.err);
}
