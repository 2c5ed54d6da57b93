/* Cycles: create and destroy again and again, by the commands' own machinery; what a round came to, how a
 * cycle ends, and that its report needs the store alone. */
#include "base/memory.h"
#include "format/json.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUICK "play; task t1; finish\n"
/* $round counts the phases that began. */
#define COUNTING "echo >>$FOLDER/rounds; round=$(wc -l <$FOLDER/rounds); play; task t1\n"

static bool has(const char *text, const char *words)
{
    return strstr(text, words) != NULL;
}

static int rows_with(const char *text, const char *words)
{
    int rows = 0;
    for (const char *at = text; (at = strstr(at, words)); at++)
        rows++;
    return rows;
}

static int64_t machines(struct lab *lab)
{
    return lab_sql_number(lab, "SELECT count(*) FROM machine WHERE removed_ns = 0");
}

Test(cycle, makes_and_removes_as_often_as_it_is_told_in_one_group)
{
    struct lab *lab = damage_lab("", QUICK);
    struct lab_result cycle = lab_run(lab, "cycle", "host", "-n", "3", "--yes", NULL);
    cr_assert(eq(int, cycle.code, 0), "%s", cycle.err);
    cr_expect(eq(int, rows_with(cycle.out, "  ok  "), 3), "%s", cycle.out);
    AUTO_FREE char *kinds =
        lab_sql(lab, "SELECT group_concat(kind, ' ') FROM (SELECT kind FROM run ORDER BY id)");
    cr_expect(eq(str, kinds, "create destroy create destroy create destroy"));
    cr_expect(eq(
        i64, lab_sql_number(lab, "SELECT count(DISTINCT group_id) FROM run WHERE group_id IS NOT NULL"), 1));
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE fresh"), 0),
              "a host that was there before is no fresh machine");
    cr_expect(eq(i64, machines(lab), 0));
    cr_expect(has(cycle.out, "3 ok, 0 not; UNREACHABLE 0, watchdogs 0, retries 0 (recovered 0), leftovers 0"),
              "%s", cycle.out);
}

Test(cycle, says_the_same_afterwards_from_the_store_alone)
{
    struct lab *lab = damage_lab("", QUICK);
    struct lab_result cycle = lab_run(lab, "cycle", "host", "-n", "2", "--yes", NULL);
    cr_assert(eq(int, cycle.code, 0), "%s", cycle.err);
    struct lab_result report = lab_run(lab, "report", "--group", "last", NULL);
    cr_expect(eq(str, report.out, cycle.out));
    struct lab_result json = lab_run(lab, "cycle", "host", "-n", "2", "--yes", "--json", NULL);
    AUTO_FREE char *group = lab_sql(lab, "SELECT substr(max(group_id), -8) FROM run");
    report = lab_run(lab, "report", "--group", group, "--json", NULL);
    cr_assert(eq(int, report.code, 0), "%s", report.err);
    cr_expect(eq(str, report.out, json.out));
    cr_expect(has(json.out, "\"earlier_n\": 2"), "the first cycle is earlier:\n%s", json.out);
    report = lab_run(lab, "report", "--group", "12345678", NULL);
    cr_expect(eq(int, report.code, 64));
}

/* A recipe whose teardown does as told, besides the phase, which is quick. */
static struct lab *lab_with_teardown(const char *body)
{
    AUTO_FREE char *both = xasprintf("case \"$*\" in *playbooks/bye.yml*) %s;; esac\n" QUICK, body);
    struct lab *lab = damage_lab(
        "teardown:\n  - name: bye\n    playbook: playbooks/bye.yml\n    attempts: 1\n    grace: 20s\n", both);
    lab_write(lab, "playbooks/bye.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    return lab;
}

Test(cycle, every_step_of_a_round_is_told_against_earlier_cycles_the_destroy_too)
{
    struct lab *lab = lab_with_teardown(":");
    struct lab_result first = lab_run(lab, "cycle", "host", "-n", "2", "--yes", NULL);
    cr_assert(eq(int, first.code, 0), "%s", first.err);
    struct lab_result second = lab_run(lab, "cycle", "host", "-n", "1", "--yes", "--json", NULL);
    cr_assert(eq(int, second.code, 0), "%s", second.err);
    AUTO_JSON *json = json_parse(second.out, strlen(second.out), NULL);
    const struct json *steps = json_get(json, "statistics");
    cr_expect(has(second.out, "\"step\": \"bye\""), "%s", second.out);
    for (size_t i = 0; i < json_count(steps); i++)
        cr_expect(eq(i64, json_get_integer(json_at(steps, i), "earlier_n", -1), 2), "%s: %s",
                  json_get_string(json_at(steps, i), "step", "?"), second.out);
}

Test(cycle, goes_on_after_a_failed_round_and_ends_with_its_code)
{
    struct lab *lab = damage_lab("", COUNTING "[ $round = 2 ] && exit 2; finish\n");
    struct lab_result cycle = lab_run(lab, "cycle", "host", "-n", "3", "--yes", NULL);
    cr_expect(eq(int, cycle.code, 2), "%s", cycle.err);
    cr_expect(eq(int, rows_with(cycle.out, "  ok  "), 2), "%s", cycle.out);
    cr_expect(has(cycle.out, "    2  failed"), "%s", cycle.out);
    cr_expect(has(cycle.out, "2 ok, 1 not"), "%s", cycle.out);
    cr_expect(eq(i64, machines(lab), 0));
}

Test(cycle, until_failure_stops_at_it_and_keeps_the_machine)
{
    struct lab *lab = damage_lab("", COUNTING "[ $round = 2 ] && exit 2; finish\n");
    struct lab_result cycle = lab_run(lab, "cycle", "host", "-n", "5", "--yes", "--until-failure", NULL);
    cr_expect(eq(int, cycle.code, 2), "%s", cycle.err);
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE kind = 'create'"), 2));
    cr_expect(eq(i64, machines(lab), 1));
    cr_expect(has(cycle.err, "the machine is kept"), "%s", cycle.err);
}

Test(cycle, keep_last_leaves_the_last_machine)
{
    struct lab *lab = damage_lab("", QUICK);
    struct lab_result cycle = lab_run(lab, "cycle", "host", "-n", "2", "--yes", "--keep-last", NULL);
    cr_expect(eq(int, cycle.code, 0), "%s", cycle.err);
    AUTO_FREE char *kinds =
        lab_sql(lab, "SELECT group_concat(kind, ' ') FROM (SELECT kind FROM run ORDER BY id)");
    cr_expect(eq(str, kinds, "create destroy create"));
    cr_expect(eq(i64, machines(lab), 1));
}

Test(cycle, removes_what_is_there_first_as_round_0)
{
    struct lab *lab = damage_lab("", QUICK);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    struct lab_result cycle = lab_run(lab, "cycle", "host", "-n", "1", "--yes", NULL);
    cr_expect(eq(int, cycle.code, 0), "%s", cycle.err);
    cr_expect(has(cycle.out, "\n    0  ok"), "%s", cycle.out);
    cr_expect(has(cycle.out, "\n    1  ok"), "%s", cycle.out);
    cr_expect(has(cycle.out, "1 ok, 0 not"), "%s", cycle.out);
}

static void hold_interrupt(int number)
{
    struct lab *lab = damage_lab("    grace: 20s\n", COUNTING
                                 "[ $round = 1 ] && { finish; exit; }; trap 'kill $!; exit 99' TERM\n"
                                 "sleep 1000 & touch $FOLDER/there; wait\n");
    pid_t command = lab_start(lab, "cycle", "cycle", "host", "-n", "5", "--yes", NULL);
    cr_assert(lab_until_file(lab, 60, "there"), "the second round did not begin");
    kill(command, number);
    cr_assert(eq(int, lab_wait(lab, command, 20), 130));
    AUTO_FREE char *out = lab_read(lab, "cycle.out"), *err = lab_read(lab, "cycle.err");
    cr_expect(has(out, "    1  ok"), "%s", out);
    cr_expect(has(out, "    2  cancelled"), "%s", out);
    cr_expect(has(out, "1 ok, 1 not"), "%s", out);
    cr_expect(has(err, "the machine is kept"), "%s", err);
    cr_expect(not(has(err, "triphase resume")), "a round is not gone on with: %s", err);
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE kind = 'create'"), 2));
}

Test(cycle, an_interrupt_ends_the_round_in_order_and_prints_the_table_so_far)
{
    hold_interrupt(SIGINT);
}

Test(cycle, a_term_does_the_same)
{
    hold_interrupt(SIGTERM);
}

static void make(struct lab *lab)
{
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
}

/* The destroy of round 0 or 1 is interrupted; what it said is in cycle.out and cycle.err. */
static struct lab *interrupted_destroy(int round, const char *option)
{
    struct lab *lab =
        lab_with_teardown("trap 'kill $!; exit 99' TERM\nsleep 1000 & touch $FOLDER/there; wait");
    if (round == 0)
        make(lab);
    pid_t command = lab_start(lab, "cycle", "cycle", "host", "-n", "2", "--yes", option, NULL);
    cr_assert(lab_until_file(lab, 60, "there"), "the destroy did not begin");
    kill(command, SIGINT);
    cr_assert(eq(int, lab_wait(lab, command, 20), 130));
    AUTO_FREE char *err = lab_read(lab, "cycle.err");
    cr_expect(has(err, "host: the machine is kept; 'triphase destroy host' removes it"), "%s", err);
    cr_expect(not(has(err, "left after destroy")), "what is kept is not left over: %s", err);
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM event WHERE kind = 'leftovers'"), 0));
    cr_expect(eq(i64, machines(lab), 1));
    return lab;
}

static void hold_table(const char *out, const char *row)
{
    cr_expect(eq(int, rows_with(out, row), 1), "%s", out);
    cr_expect(has(out, "0 ok, 1 not; UNREACHABLE 0, watchdogs 0, retries 0 (recovered 0), leftovers 0\n"),
              "%s", out);
}

Test(cycle, an_interrupt_in_the_destroy_of_round_0_keeps_the_machine_and_prints_the_round)
{
    struct lab *lab = interrupted_destroy(0, NULL);
    AUTO_FREE char *out = lab_read(lab, "cycle.out");
    hold_table(out, "\n    0  cancelled");
}

Test(cycle, an_interrupt_in_the_destroy_of_a_round_keeps_the_machine_and_counts_nothing_as_left)
{
    struct lab *lab = interrupted_destroy(1, NULL);
    AUTO_FREE char *out = lab_read(lab, "cycle.out");
    hold_table(out, "\n    1  cancelled");
    struct lab_result report = lab_run(lab, "report", "--group", "last", NULL);
    cr_expect(eq(str, report.out, out));
}

Test(cycle, an_interrupt_in_round_0_leaves_one_object_with_json)
{
    struct lab *lab = interrupted_destroy(0, "--json");
    AUTO_FREE char *out = lab_read(lab, "cycle.out");
    AUTO_JSON *json = json_parse(out, strlen(out), NULL);
    const struct json *round = json_at(json_get(json, "rounds"), 0);
    cr_assert(round != NULL, "%s", out);
    cr_expect(eq(i64, json_get_integer(round, "round", -1), 0));
    cr_expect_str_eq(json_get_string(round, "outcome", ""), "cancelled");
    cr_expect(has(out, "\"leftovers\": null"), "nobody looked: %s", out);
}

Test(cycle, a_destroy_of_round_0_that_fails_is_printed_and_ends_the_cycle)
{
    struct lab *lab = lab_with_teardown("play; task t1; exit 2");
    make(lab);
    struct lab_result cycle = lab_run(lab, "cycle", "host", "-n", "2", "--yes", NULL);
    cr_expect(eq(int, cycle.code, 2), "%s", cycle.err);
    cr_expect(has(cycle.out, "\n    0  failed"), "%s", cycle.out);
    cr_expect(has(cycle.out, "0 ok, 1 not"), "%s", cycle.out);
    cr_expect(has(cycle.err, "the machine could not be removed, so the cycle ends here"), "%s", cycle.err);
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE kind = 'create'"), 1));
}

Test(cycle, says_that_a_machine_is_kept_only_where_there_is_one)
{
    struct lab *lab = damage_lab("", QUICK);
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    /* Nobody knows the host's keys: that is refused before anything is made. */
    *strstr(project, "    host_keys:") = '\0';
    lab_write(lab, "triphase.yml", "%s", project);
    struct lab_result cycle = lab_run(lab, "cycle", "host", "-n", "2", "--yes", "--until-failure", NULL);
    cr_expect(eq(int, cycle.code, 78), "%s", cycle.err);
    cr_expect(eq(i64, machines(lab), 0));
    cr_expect(not(has(cycle.err, "the machine is kept")), "%s", cycle.err);
}

Test(cycle, of_a_busy_target_it_says_that_and_not_that_it_could_not_be_removed)
{
    struct lab *lab = damage_lab("", "play; task t1; touch $FOLDER/there\n"
                                     "until [ -e $FOLDER/go ]; do sleep 0.02; done; finish\n");
    pid_t create = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 60, "there"));
    struct lab_result cycle = lab_run(lab, "cycle", "host", "-n", "2", "--yes", NULL);
    cr_expect(eq(int, cycle.code, 75), "%s", cycle.err);
    cr_expect(not(has(cycle.err, "could not be removed")), "nothing was tried: %s", cycle.err);
    lab_write(lab, "go", "yes\n");
    cr_assert(eq(int, lab_wait(lab, create, 20), 0));
    cr_expect(eq(i64, machines(lab), 1));
}

Test(cycle, counts_what_is_left_after_a_destroy)
{
    /* A process of the run that left every scope: as only root can. */
    struct lab *lab =
        damage_lab("", "play; task t1; sh -c 'for root in $(findmnt -nt cgroup2 -o TARGET); do echo $$ "
                       ">$root/cgroup.procs; done; echo $$ >$0; exec sleep 1000' $FOLDER/pid "
                       "</dev/null >/dev/null 2>&1 &\n"
                       "until [ -s $FOLDER/pid ]; do sleep 0.02; done; finish\n");
    struct lab_result cycle = lab_run(lab, "cycle", "host", "-n", "1", "--yes", NULL);
    AUTO_FREE char *pid = lab_read(lab, "pid");
    pid_t left = (pid_t)strtol(pid, NULL, 10);
    if (left > 1)
        kill(left, SIGKILL);
    cr_expect(eq(int, cycle.code, 3), "%s", cycle.err);
    cr_expect(has(cycle.out, "    1  leftover"), "%s", cycle.out);
    cr_expect(has(cycle.out, "leftovers 1\n"), "%s", cycle.out);
    cr_expect(has(cycle.err, "left after destroy: 1 processes with TRIPHASE_RUN="), "%s", cycle.err);
    struct lab_result report = lab_run(lab, "report", "--group", "last", NULL);
    cr_expect(eq(str, report.out, cycle.out));
}

Test(cycle, refuses_what_it_must_not_or_cannot_do)
{
    struct lab *lab = damage_lab("", QUICK);
    struct lab_result refused = lab_run(lab, "cycle", "host", "-n", "2", NULL);
    cr_expect(eq(int, refused.code, 64), "%s", refused.err);
    cr_expect(has(refused.err, "needs --yes"), "%s", refused.err);
    cr_expect(eq(int, lab_run(lab, "cycle", "host", "--yes", NULL).code, 64));
    cr_expect(eq(int, lab_run(lab, "cycle", "host", "-n", "0", "--yes", NULL).code, 64));
    cr_expect(eq(int, lab_run(lab, "cycle", "host", "-n", "2x", "--yes", NULL).code, 64));
    cr_expect(eq(int, lab_run(lab, "cycle", "-n", "2", "--yes", NULL).code, 64));
    refused = lab_run(lab, "--set", "targets.host.protected=true", "cycle", "host", "-n", "2", "--yes", NULL);
    cr_expect(eq(int, refused.code, 78), "%s", refused.err);
    cr_expect(has(refused.err, "host is protected"), "%s", refused.err);
    cr_expect(not(lab_exists(lab, ".triphase/store.db")), "nothing was begun");
}

Test(cycle, a_plan_that_is_refused_ends_it_before_anything_is_made)
{
    struct lab *lab = damage_lab("", QUICK);
    lab_write(lab, "playbooks/work.yml", "- hosts: nobody\n  tasks: []\n");
    struct lab_result cycle = lab_run(lab, "cycle", "host", "-n", "3", "--yes", NULL);
    cr_expect(eq(int, cycle.code, 78), "%s", cycle.err);
    cr_expect(eq(int, rows_with(cycle.err, "no play matches"), 1), "asked once only: %s", cycle.err);
}
