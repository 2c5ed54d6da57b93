/* kill -9 of the worker, of the guard, of both, at every place of a run. Promise 2 of the design: no
 * finished row is lost, the scope is empty within the grace, it is said to be crashed, and the next acting
 * command puts things in order. */
#include "base/memory.h"
#include "lab/damage.h"
#include "lab/phase.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Five tasks, a background process that left its session, then a wait without end; the second run ends at
 * once. What says so is no process of its own, which might be counted. */
#define LONG_RUN                                                                                   \
    "if [ -e $FOLDER/again ]; then play; task again; finish; exit 0; fi\n"                         \
    "play; for i in 1 2 3 4 5; do task t$i; done\n"                                                \
    "export FOLDER; setsid sh -c 'trap \"\" TERM HUP INT; sleep 1000 & : >$FOLDER/back; wait' &\n" \
    "until [ -e $FOLDER/back ]; do sleep 0.02; done\n"                                             \
    "sleep 1000 & : >$FOLDER/there; wait\n"

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

static int64_t rows_of(struct lab *lab, const char *run)
{
    AUTO_FREE char *query = xasprintf("SELECT count(*) FROM slowest_task WHERE run = '%s'", run);
    return lab_sql_number(lab, query);
}

static void hold_status_says_crashed(struct lab *lab, int processes)
{
    AUTO_FREE char *count = xasprintf("%d process(es)", processes),
                   *field = xasprintf("\"processes\": %d", processes);
    struct lab_result status = lab_run(lab, "status", NULL), json = lab_run(lab, "status", "--json", NULL);
    cr_assert(eq(int, status.code, 0));
    cr_assert(strstr(status.out, "crashed") && strstr(status.out, count), "%s", status.out);
    cr_assert(strstr(json.out, "\"crashed\"") && strstr(json.out, field), "%s", json.out);
}

/* The worker is stopped while the play goes on writing, then killed: what it never saw is in the file alone.
 * The run's id, malloc'ed. */
static char *die_unread(struct lab *lab)
{
    pid_t command = begin_long_run(lab), worker = damage_worker(lab);
    AUTO_FREE char *run = damage_run(lab);
    kill(worker, SIGSTOP);
    lab_write(lab, "stopped", "yes\n");
    cr_assert(lab_until_file(lab, 10, "written"));
    damage_kill(worker);
    cr_assert(eq(int, lab_wait(lab, command, 5), 70));
    return TAKE(run);
}

Test(crash, events_written_after_the_worker_died_are_read_by_the_next_acting_command)
{
    struct lab *lab = damage_lab(
        "", "if [ -e $FOLDER/again ]; then play; task again; finish; exit 0; fi\n"
            "play; task t1; touch $FOLDER/there\n"
            "until [ -e $FOLDER/stopped ]; do sleep 0.02; done\n"
            "task t2; truncate -s +1100M $EVENTS; echo >>$EVENTS\n" /* a line of more than a gigabyte */
            "for i in 3 4 5 6 7; do task t$i; done; printf '{\"v\":1,\"seq\":99,\"kind\":\"res' >>$EVENTS\n"
            "touch $FOLDER/written; sleep 1000\n");
    AUTO_FREE char *run = die_unread(lab);
    cr_assert(damage_empty(lab, run, 5));
    struct lab_result report = lab_run(lab, "report", "--json", NULL);
    const char *unread = strstr(report.out, "\"unread_event_bytes\": ");
    cr_assert(unread && strtol(unread + strlen("\"unread_event_bytes\": "), NULL, 10) > 1000, "%s",
              report.out);
    struct lab_result table = lab_run(lab, "report", NULL);
    cr_assert(strstr(table.out, "crashed") && strstr(table.out, "bytes"), "%s", table.out);
    cr_assert(le(i64, rows_of(lab, run), 1));
    struct lab_result why = lab_run(lab, "report", "--explain", NULL);
    cr_assert(strstr(why.out, "none yet: its worker is gone") != NULL, "%s", why.out);
    hold_next_run_ok(lab);
    lab_expect_rows(lab, "a crash", run, "died", "died");
    cr_assert(eq(i64, rows_of(lab, run), 7));
    AUTO_FREE char *query = xasprintf("SELECT step.ok FROM step JOIN run ON run.number = step.run WHERE "
                                      "step.kind = 'phase' AND run.id = '%s'",
                                      run);
    cr_assert(eq(i64, lab_sql_number(lab, query), 7));
}

Test(crash, a_host_that_did_not_come_back_is_unreachable_after_a_crash_too)
{
    struct lab *lab = damage_lab(
        "    reboots: true\n",
        "if [ -e $FOLDER/again ]; then play; task again; finish; exit 0; fi\n"
        "play; touch $FOLDER/there; until [ -e $FOLDER/stopped ]; do sleep 0.02; done\n"
        "say '\"kind\":\"result\",\"host\":\"host\",\"task\":\"back\",\"uuid\":\"b\",\"status\":\"failed\","
        "\"action\":\"ansible.builtin.wait_for_connection\",\"ignored\":false,\"rescued\":false,"
        "\"cause_text\":\"timed out waiting for ping module test\"'\n"
        "touch $FOLDER/written; sleep 1000\n");
    AUTO_FREE char *run = die_unread(lab);
    hold_next_run_ok(lab);
    AUTO_FREE char *query = xasprintf(
        "SELECT step.unreachable || ' ' || step.failed || ' ' || (SELECT group_concat(host || ' ' || cause) "
        "FROM event WHERE event.run = run.number AND event.kind = 'unreachable') FROM step JOIN run ON "
        "run.number = step.run WHERE step.kind = 'phase' AND run.id = '%s'",
        run);
    AUTO_FREE char *row = lab_sql(lab, query);
    cr_assert(eq(str, row, "1 0 host connect-timeout"));
}

Test(crash, a_worker_killed_while_a_transport_is_looked_for_leaves_nothing)
{
    struct lab *lab = damage_lab("", "play; task again; finish\n");
    kill(lab_sshd_pid(lab), SIGSTOP); /* it accepts, and says nothing */
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(
        lab_until_sql(lab, 30, "SELECT count(*) FROM step WHERE name = 'transport' AND outcome IS NULL"));
    AUTO_FREE char *run = damage_run(lab);
    damage_kill(damage_worker(lab));
    cr_assert(eq(int, lab_wait(lab, command, 5), 70));
    cr_assert(damage_empty(lab, run, 5));
    hold_status_says_crashed(lab, 0);
    kill(lab_sshd_pid(lab), SIGCONT);
    hold_next_run_ok(lab);
    AUTO_FREE char *query = xasprintf("SELECT group_concat(name || ' ' || outcome) FROM (SELECT step.name AS "
                                      "name, step.outcome AS outcome FROM step JOIN "
                                      "run ON run.number = step.run WHERE run.id = '%s' ORDER BY step.seq)",
                                      run);
    AUTO_FREE char *outcomes = lab_sql(lab, query);
    cr_assert(eq(str, outcomes, "provision ok,transport crashed"));
}

Test(crash, a_worker_killed_between_two_steps_keeps_what_had_ended)
{
    struct lab *lab = damage_lab("    attempts: 2\n    retry_on: [failed]\n    retry_pause: 10m\n",
                                 "if [ -e $FOLDER/again ]; then play; task again; finish; exit 0; fi\n"
                                 "play; task t1; task t2; exit 2\n");
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_sql(lab, 60, "SELECT count(*) FROM step WHERE name = 'work' AND outcome = 'failed'"));
    AUTO_FREE char *run = damage_run(lab);
    damage_kill(damage_worker(lab));
    cr_assert(eq(int, lab_wait(lab, command, 5), 70));
    cr_assert(damage_empty(lab, run, 5));
    hold_status_says_crashed(lab, 0);
    hold_next_run_ok(lab);
    AUTO_FREE char *query = xasprintf("SELECT step.outcome || ' ' || run.outcome FROM step JOIN run ON "
                                      "run.number = step.run WHERE run.id = '%s' AND "
                                      "step.name = 'work'",
                                      run);
    AUTO_FREE char *outcomes = lab_sql(lab, query);
    cr_assert(eq(str, outcomes, "failed crashed"));
    cr_assert(eq(i64, rows_of(lab, run), 2));
}

Test(crash, a_worker_killed_during_destroy_leaves_a_machine_that_can_be_destroyed)
{
    struct lab *lab = damage_lab("teardown:\n  - name: bye\n    playbook: playbooks/work.yml\n",
                                 "play; task t1\n"
                                 "if [ -e $FOLDER/made ] && [ ! -e $FOLDER/again ]; then touch "
                                 "$FOLDER/there; sleep 1000; fi\nfinish\n");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    lab_write(lab, "made", "yes\n");
    pid_t command = lab_start(lab, "destroy", "destroy", "host", "--yes", NULL);
    cr_assert(lab_until_file(lab, 60, "there"));
    AUTO_FREE char *run = damage_run(lab);
    damage_kill(damage_worker(lab));
    cr_assert(eq(int, lab_wait(lab, command, 5), 70));
    cr_assert(damage_empty(lab, run, 5));
    hold_status_says_crashed(lab, 0);
    lab_write(lab, "again", "yes\n");
    struct lab_result again = lab_run(lab, "destroy", "host", "--yes", NULL);
    cr_assert(eq(int, again.code, 0), "%s", again.err);
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE outcome IS NULL"), 0));
    struct lab_result status = lab_run(lab, "status", NULL);
    cr_assert(strstr(status.out, "absent") != NULL, "%s", status.out);
}

Test(crash, a_killed_guard_is_replaced_and_the_new_one_keeps_the_promise)
{
    struct lab *lab = damage_lab("", LONG_RUN);
    pid_t command = begin_long_run(lab), worker = damage_worker(lab);
    AUTO_FREE char *run = damage_run(lab);
    for (int round = 0; round < 3; round++) {
        pid_t guard = damage_guard(lab);
        damage_kill(guard);
        cr_assert(ne(int, damage_guard(lab), guard));
    }
    cr_assert(damage_alive(worker));
    damage_kill(worker);
    cr_assert(damage_empty(lab, run, 5), "the new guard did not empty the scope");
    cr_assert(eq(int, lab_wait(lab, command, 5), 70));
    hold_next_run_ok(lab);
}

Test(crash, with_both_killed_looking_changes_nothing_and_acting_ends_the_rest_first)
{
    struct lab *lab =
        damage_lab("", "if [ -e $FOLDER/again ]; then\n"
                       "  for e in /proc/[0-9]*/environ; do tr '\\0' '\\n' <$e; done 2>/dev/null |\n"
                       "    grep -c \"^TRIPHASE_RUN=$(cat $FOLDER/dead)$\" >$FOLDER/count\n"
                       "  play; task again; finish; exit 0; fi\n" LONG_RUN);
    pid_t command = begin_long_run(lab);
    AUTO_FREE char *run = damage_run(lab);
    int processes = damage_processes(lab, run);
    /* Others: another project's run, and processes that only look alike. */
    struct lab *other = damage_lab("", LONG_RUN);
    begin_long_run(other);
    AUTO_FREE char *others_run = damage_run(other);
    int others = damage_processes(other, others_run);
    AUTO_FREE char *longer = xasprintf("TRIPHASE_RUN=%s0", run),
                   *inside = xasprintf("X=TRIPHASE_RUN=%s", run);
    pid_t innocents[] = {damage_innocent("TRIPHASE_RUN=00000000-0000-7000-8000-000000000000",
                                         "ansible-playbook"),
                         damage_innocent(longer, run),
                         damage_innocent(inside, "ssh: /tmp/triphase-0/000000000000d/abc [mux]")};

    damage_kill_both(lab);
    cr_assert(eq(int, lab_wait(lab, command, 5), 70));
    cr_assert(eq(int, damage_processes(lab, run), processes));
    AUTO_FREE char *before = damage_store_digest(lab);
    hold_status_says_crashed(lab, processes);
    struct lab_result report = lab_run(lab, "report", NULL), events = lab_run(lab, "events", NULL);
    cr_assert(strstr(report.out, "crashed") != NULL, "%s%s", report.out, report.err);
    cr_assert(eq(int, events.code, 0), "%s", events.err);
    AUTO_FREE char *after = damage_store_digest(lab);
    cr_assert(eq(str, before, after), "reading changed the store");
    cr_assert(eq(int, damage_processes(lab, run), processes), "reading ended processes");
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE outcome IS NULL"), 1));

    lab_write(lab, "dead", "%s", run);
    hold_next_run_ok(lab);
    AUTO_FREE char *count = lab_read(lab, "count");
    cr_assert(eq(str, count, "0\n"), "the next run began beside processes of the dead one");
    cr_assert(eq(int, damage_processes(lab, run), 0));
    cr_assert(not(damage_scope_exists(run)));
    for (size_t i = 0; i < COUNT_OF(innocents); i++) {
        cr_assert(damage_alive(innocents[i]), "innocent process %zu was ended", i);
        kill(innocents[i], SIGKILL);
    }
    cr_assert(eq(int, damage_processes(other, others_run), others), "another project's run was touched");
    cr_assert(damage_alive(damage_worker(other)));
}

Test(crash, real_ansible_its_ssh_and_its_master_are_ended_with_the_worker)
{
    struct lab *lab = lab_new();
    lab_static_project(
        lab, "",
        "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n"
        "    - ansible.builtin.command: sh -c 'touch {{ playbook_dir }}/../there; sleep 1000'\n"
        "      when: not ('{{ playbook_dir }}/../again' is exists)\n");
    pid_t command = begin_long_run(lab);
    AUTO_FREE char *run = damage_run(lab);
    cr_assert(damage_scope_exists(run));
    damage_kill(damage_worker(lab));
    cr_assert(eq(int, lab_wait(lab, command, 5), 70));
    cr_assert(damage_empty(lab, run, 5));
    AUTO_FREE char *sockets = xasprintf("%sd/", run + strlen(run) - 12);
    cr_assert(eq(int, lab_processes(sockets), 0), "a master or an ssh is left");
    hold_next_run_ok(lab);
    cr_assert(eq(i64, rows_of(lab, run), 1));
    cr_assert(eq(int, lab_processes(run), 0),
              "what the dead run left on the host, which is this machine, was not ended");
}

Test(crash, without_cgroups_the_same_holds_by_marks)
{
    struct lab *lab = damage_lab("", LONG_RUN);
    lab_environment(lab, "TRIPHASE_NO_CGROUP", "1");
    pid_t command = begin_long_run(lab);
    AUTO_FREE char *run = damage_run(lab);
    cr_assert(not(damage_scope_exists(run)));
    damage_kill(damage_worker(lab));
    cr_assert(damage_empty(lab, run, 5), "processes of the run are left");
    cr_assert(eq(int, lab_wait(lab, command, 5), 70));
    lab_write(lab, "again", "yes\n");
    struct lab_result next = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, next.code, 0), "%s", next.err);
}

Test(crash, without_cgroups_the_rest_of_both_killed_is_ended_by_the_next_acting_command)
{
    struct lab *lab = damage_lab("", LONG_RUN);
    lab_environment(lab, "TRIPHASE_NO_CGROUP", "1");
    pid_t command = begin_long_run(lab);
    AUTO_FREE char *run = damage_run(lab);
    int processes = damage_processes(lab, run);
    damage_kill_both(lab);
    cr_assert(eq(int, lab_wait(lab, command, 5), 70));
    hold_status_says_crashed(lab, processes);
    hold_next_run_ok(lab);
    cr_assert(damage_empty(lab, run, 1));
}

Test(crash, while_a_guard_still_ends_a_dead_run_the_next_command_waits_for_it)
{
    struct lab *lab = damage_lab("", LONG_RUN);
    pid_t command = begin_long_run(lab), guard = damage_guard(lab);
    kill(guard, SIGSTOP);
    damage_kill(damage_worker(lab));
    cr_assert(eq(int, lab_wait(lab, command, 5), 70));
    lab_write(lab, "again", "yes\n");
    pid_t next = lab_start(lab, "next", "create", "host", NULL);
    usleep(700000); /* well after it has asked for the lock */
    cr_assert(damage_alive(next), "it was refused because of a dead run");
    kill(guard, SIGCONT);
    cr_assert(eq(int, lab_wait(lab, next, 30), 0));
}

Test(crash, even_a_command_that_is_refused_by_the_plan_ends_what_the_dead_run_left)
{
    struct lab *lab = damage_lab("", LONG_RUN);
    pid_t command = begin_long_run(lab);
    AUTO_FREE char *run = damage_run(lab);
    damage_kill_both(lab);
    cr_assert(eq(int, lab_wait(lab, command, 5), 70));
    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_work\n  tasks: nonsense\n");
    struct lab_result next = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, next.code, 78), "%s", next.err);
    cr_assert(eq(int, damage_processes(lab, run), 0));
    struct lab_result status = lab_run(lab, "status", NULL);
    cr_assert(strstr(status.out, "crashed in ") != NULL, "%s", status.out);
}

/* The test's own sshd is a host whose processes are seen from here, as a container's are. What runs there for
 * the run is the host's, not this side's. */
Test(crash, an_async_job_of_a_host_that_shares_this_kernel_outlives_the_worker)
{
    struct lab *lab = lab_new();
    AUTO_FREE char *play =
        xasprintf("- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
                  "    - ansible.builtin.shell: echo $$ >%s/begun && mv %s/begun %s/job && exec sleep 1000\n"
                  "      async: 900\n      poll: 0\n"
                  "    - ansible.builtin.command: sleep 300\n",
                  lab_folder(lab), lab_folder(lab), lab_folder(lab));
    lab_static_project(lab, "", play);
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 60, "job"), "the job did not begin");
    AUTO_FREE char *text = lab_read(lab, "job");
    pid_t job = (pid_t)strtol(text, NULL, 10);
    cr_assert(gt(int, job, 1));
    damage_kill_both(lab);
    cr_assert(eq(int, lab_wait(lab, command, 20), 70));
    struct lab_result settled = lab_run(lab, "cancel", "host", NULL);
    cr_expect(eq(int, settled.code, 0), "%s", settled.err);
    cr_expect(strstr(settled.err, "had died: its rows are closed as crashed") != NULL, "%s", settled.err);
    cr_expect(damage_alive(job), "the host's job was ended with this side's processes");
    kill(job, SIGKILL);
}
