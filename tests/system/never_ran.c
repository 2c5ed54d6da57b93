/* What Ansible says badly or nowhere: hosts that a play did not come to, a host that did not come back, why a
 * module died. With real playbooks. */
#include "../lab/phase.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

#define PLAY(hosts, keys) "- hosts: " hosts "\n  gather_facts: false\n" keys "  tasks:\n"
#define REACH(more)       "    - name: reach\n      ansible.builtin.raw: \"true\"\n" more

static struct lab *project(const char *ansible)
{
    struct lab *lab = lab_phase_project(ansible, "    attempts: 1\n    beyond: allow\n");
    lab_write(lab, "inventory/hosts", "host\ndown ansible_host=127.0.0.1 ansible_port=1\n");
    return lab;
}

static void expect_never_ran(struct lab *lab, const char *what, const char *playbook)
{
    lab_play(lab, playbook);
    struct lab_result result = lab_run(lab, "run", "host", NULL),
                      report = lab_run(lab, "report", "--json", NULL);
    lab_expect(lab, &result, what, "unreachable", "-", 4);
    AUTO_FREE char *message = lab_phase(lab, "message"),
                   *row =
                       lab_sql(lab, "SELECT message FROM event WHERE kind = 'unreachable' AND host = 'host' "
                                    "AND run = (SELECT max(number) FROM run)");
    cr_expect(strstr(message, "down was UNREACHABLE") && strstr(message, "host never ran"), "%s: %s", what,
              message);
    cr_expect(strstr(row, "never ran: play") && strstr(row, "since down was UNREACHABLE in task 'reach'"),
              "%s: the ledger says '%s'", what, row);
    cr_expect(strstr(report.out, "never ran: play"), "%s: %s", what, report.out);
}

static void check_never_ran(const char *ansible)
{
    struct lab *lab = project(ansible);
    expect_never_ran(lab, "a first batch", PLAY("down,host", "  serial: 1\n") REACH(""));
    expect_never_ran(lab, "a play behind it", PLAY("down", "") REACH("") PLAY("host", "") REACH(""));
    expect_never_ran(lab, "run_once", PLAY("down,host", "") REACH("      run_once: true\n") REACH(""));
    lab_play(lab, PLAY("host,down", "") REACH("      ignore_unreachable: true\n")
                      REACH("      ignore_unreachable: true\n"));
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "all had their turn", "ok", "-", 0);
    cr_expect(lab_sql_number(
                  lab,
                  "SELECT count(*) FROM event WHERE kind = 'unreachable' AND host = 'host' AND run = (SELECT "
                  "max(number) FROM run)") == 0);
}

Test(never_ran, hosts_that_a_lost_one_takes_along_are_named_in_message_ledger_and_report, .timeout = 180)
{
    check_never_ran(NULL);
}

Test(never_ran, hosts_that_a_lost_one_takes_along_are_named_with_the_oldest_ansible, .timeout = 180)
{
    check_never_ran(lab_old_ansible());
}

#define MEANT     "      when: inventory_hostname == 'host'\n"
#define NOTHING   "    - ansible.builtin.debug: {msg: done}\n"
#define END_OTHER "    - ansible.builtin.meta: end_host\n      when: inventory_hostname == 'other'\n"

/* A failure of `host` in a block with that keyword, which is rescued, and one more play. */
static void expect_left_out(struct lab *lab, const char *keyword)
{
    AUTO_FREE char *play =
        xasprintf(PLAY("all", "") "    - %s: true\n      block:\n        - name: try\n"
                                  "          ansible.builtin.fail: {msg: not here}\n"
                                  "          when: inventory_hostname == 'host'\n"
                                  "      rescue:\n        - ansible.builtin.debug: {msg: rescue}\n"
                                  "- name: the next\n  hosts: all\n  gather_facts: false\n  tasks:\n" NOTHING,
                  keyword);
    lab_play(lab, play);
    struct lab_result result = lab_run(lab, "run", "host", NULL),
                      report = lab_run(lab, "report", "--json", NULL);
    lab_expect(lab, &result, keyword, "failed", "left-out", 2);
    AUTO_FREE char *message = lab_phase(lab, "message"),
                   *row = lab_sql(lab, "SELECT message FROM event WHERE kind = 'unreachable' AND host = "
                                       "'other' AND run = (SELECT max(number) FROM run) ORDER BY rowid DESC");
    AUTO_FREE char *why = xasprintf(
        "never ran: play 'the next' left this host out, since host failed in task 'try', which %s made a "
        "failure of all hosts",
        keyword);
    cr_expect(strstr(message, "other never ran: play"), "%s: %s", keyword, message);
    cr_expect_str_eq(row, why);
    cr_expect(strstr(report.out, why), "%s: %s", keyword, report.out);
}

static struct lab *local_project(const char *ansible)
{
    struct lab *lab = project(ansible);
    lab_write(lab, "inventory/hosts", "host\nother ansible_connection=local\n");
    return lab;
}

static void check_left_out(const char *ansible)
{
    struct lab *lab = local_project(ansible);
    expect_left_out(lab, "any_errors_fatal");
    expect_left_out(lab, "run_once");
}

Test(never_ran, hosts_that_a_rescued_failure_leaves_out_are_named_in_message_ledger_and_report,
     .timeout = 180)
{
    check_left_out(NULL);
}

Test(never_ran, hosts_that_a_rescued_failure_leaves_out_are_named_with_the_newest_ansible, .timeout = 180)
{
    check_left_out(lab_newest_ansible());
}

static void expect_nobody_left_out(struct lab *lab, const char *what, int code, const char *play)
{
    lab_play(lab, play);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, what, code ? "failed" : "ok", "-", code);
    cr_expect(lab_sql_number(lab, "SELECT count(*) FROM event WHERE kind = 'unreachable' AND run = (SELECT "
                                  "max(number) FROM run)") == 0,
              "%s", what);
}

static void check_ended_by_itself(const char *ansible)
{
    struct lab *lab = local_project(ansible);
    expect_nobody_left_out(lab, "end_host, and the other host fails", 2,
                           PLAY("all", "") END_OTHER "    - ansible.builtin.fail:\n" MEANT PLAY("all", "")
                               END_OTHER NOTHING);
    expect_nobody_left_out(lab, "end_play in a first batch", 0,
                           PLAY("all", "  serial: 1\n") "    - ansible.builtin.meta: end_play\n" NOTHING);
}

Test(never_ran, a_host_that_ended_its_play_by_itself_is_not_told_as_left_out, .timeout = 180)
{
    check_ended_by_itself(NULL);
}

Test(never_ran, a_host_that_ended_its_play_by_itself_is_not_told_with_the_oldest_ansible, .timeout = 180)
{
    check_ended_by_itself(lab_old_ansible());
}

/* A task that waits for the host until it runs out. */
static void expect_did_not_come_back(struct lab *lab, const char *what, const char *task)
{
    AUTO_FREE char *play = xasprintf(PLAY("host", "") "    - name: back again\n      %s\n", task),
                   *in_place = xasprintf("%s in a phase that does not reboot", what);
    lab_play(lab, play);
    lab_environment(lab, "TRIPHASE_PHASES_WORK_WORK_REBOOTS", NULL);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, in_place, "failed", "-", 2);
    lab_environment(lab, "TRIPHASE_PHASES_WORK_WORK_REBOOTS", "true");
    result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, what, "unreachable", "-", 4);
    cr_expect(lab_phase_number(lab, "attempt") == 2, "%s: it is tried again", what);
    cr_expect(
        lab_sql_number(
            lab,
            "SELECT count(*) FROM event WHERE kind = 'unreachable' AND host = 'host' AND task = 'back again' "
            "AND run = (SELECT max(number) FROM run)") == 2,
        "%s: each attempt has its row", what);
}

static void check_did_not_come_back(const char *ansible)
{
    struct lab *lab = project(ansible);
    lab_environment(lab, "TRIPHASE_PHASES_WORK_WORK_ATTEMPTS", "2");
    expect_did_not_come_back(lab, "wait_for_connection",
                             "ansible.builtin.wait_for_connection: {timeout: 2, sleep: 1}\n"
                             "      vars: {ansible_port: 1}");
    /* The host stays as it is, so that its boot time never changes. */
    expect_did_not_come_back(lab, "reboot",
                             "ansible.builtin.reboot: {reboot_command: /bin/true, reboot_timeout: 2}");
}

Test(never_ran, a_host_that_did_not_come_back_is_unreachable_where_the_phase_reboots, .timeout = 240)
{
    check_did_not_come_back(NULL);
}

Test(never_ran, a_host_that_did_not_come_back_with_the_oldest_ansible, .timeout = 240)
{
    check_did_not_come_back(lab_old_ansible());
}

Test(never_ran, a_host_that_did_not_come_back_with_the_newest_ansible, .timeout = 240)
{
    check_did_not_come_back(lab_newest_ansible());
}

static void check_words(const char *ansible)
{
    struct lab *lab = project(ansible);
    lab_play(lab, PLAY("host",
                       "") "    - name: as root\n      ansible.builtin.command: id\n      become: true\n"
                           "      vars: {ansible_become_exe: sudo-of-nobody, ansible_become_user: nobody}\n");
    lab_run(lab, "run", "host", NULL);
    AUTO_FREE char *message = lab_phase(lab, "message"),
                   *row =
                       lab_sql(lab, "SELECT message FROM task WHERE status = 3 ORDER BY step DESC LIMIT 1");
    cr_expect(strstr(message, "sudo-of-nobody: not found") && strstr(row, "sudo-of-nobody: not found"),
              "%s\n%s", message, row);
    lab_write(lab, "python", "%s",
              "#!/bin/sh\ncat >/dev/null\necho 'SyntaxError: future feature annotations is not defined' "
              ">&2\nexit 1\n");
    AUTO_FREE char *play = xasprintf(
        PLAY("host",
             "") "    - ansible.builtin.command: id\n      vars: {ansible_python_interpreter: %s/python}\n",
        lab_folder(lab));
    lab_play(lab, play);
    lab_run(lab, "run", "host", NULL);
    AUTO_FREE char *old = lab_phase(lab, "message");
    cr_expect(strstr(old, "future feature annotations"), "%s", old);
}

Test(never_ran, a_module_that_died_says_why, .timeout = 180)
{
    check_words(NULL);
}

Test(never_ran, a_module_that_died_says_why_with_the_oldest_ansible, .timeout = 180)
{
    check_words(lab_old_ansible());
}
