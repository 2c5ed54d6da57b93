/* Tasks that loop leave the same rows with the oldest Ansible (2.14), the pinned one and the newest (2.21):
 * items that fail, are skipped or not reached, also of async tasks. */
#include "../lab/phase.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* Each task of the last run in order: its name, status (1 changed, 2 skipped, 3 failed, 4 unreachable), flags
 * (1 ignored, 2 rescued, 4 async) and items. */
static char *rows(struct lab *lab)
{
    return lab_sql(lab, "SELECT group_concat(line, ', ') FROM (SELECT name.text || ' ' || task.status || ' ' "
                        "|| task.flags || ' ' || task.items AS line FROM task JOIN step ON step.number = "
                        "task.step JOIN name ON name.number = task.task WHERE step.run = (SELECT max(number) "
                        "FROM run) ORDER BY task.seq)");
}

static void expect_rows(struct lab *lab, const char *expected, int unreachable)
{
    AUTO_FREE char *found = rows(lab);
    cr_expect_str_eq(found, expected);
    cr_expect_eq(lab_sql_number(lab,
                                "SELECT count(*) FROM event WHERE kind = 'unreachable' AND run = (SELECT "
                                "max(number) FROM run)"),
                 unreachable);
}

#define PLAY "- hosts: host\n  gather_facts: false\n  tasks:\n"
#define LOOP(name, what, items, more) \
    "    - name: " name "\n      ansible.builtin.command: " what "\n      loop: " items "\n" more

static void check_loops(const char *ansible)
{
    struct lab *lab = lab_phase_project(ansible, "    attempts: 1\n");
    AUTO_FREE char *ports = xasprintf("[%d, 1, %d]", lab_sshd(lab), lab_sshd(lab));
    AUTO_FREE char *play = xasprintf(
        PLAY LOOP("fail", "\"{{ item }}\"", "['true', 'false', 'true']", "      ignore_errors: true\n")
            LOOP("far", "'true'", "%s",
                 "      vars: {ansible_port: \"{{ item }}\"}\n      ignore_unreachable: true\n")
                LOOP("jobs", "\"{{ item }}\"", "['true', 'false', 'true']",
                     "      async: 60\n      poll: 1\n      ignore_errors: true\n")
                    LOOP("launched", "'true'", "[1, 2]", "      async: 60\n      poll: 0\n")
                        LOOP("some", "'true'", "[1, 2, 3]", "      when: item == 2\n")
                            LOOP("none", "'true'", "[1, 2, 3]", "      when: item == 9\n")
                                LOOP("empty", "'true'", "[]",
                                     "") "    - block:\n"
                                         "        - name: saved\n          ansible.builtin.command: \"{{ "
                                         "item }}\"\n          loop: ['true', "
                                         "'false']\n"
                                         "      rescue:\n        - name: saving\n          "
                                         "ansible.builtin.command: 'true'\n" LOOP("last", "\"{{ item }}\"",
                                                                                  "['false', 'true']", ""),
        ports);
    lab_play(lab, play);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "an item failed", "failed", "-", 2);
    expect_rows(lab,
                "fail 3 1 3, far 4 1 3, jobs 3 5 3, launched 1 4 2, some 1 0 3, none 2 0 3, empty 2 0 0, "
                "saved 3 2 2, saving 1 0 0, last 3 0 2",
                1);

    AUTO_FREE char *lost =
        xasprintf(PLAY LOOP("far", "'true'", "%s", "      vars: {ansible_port: \"{{ item }}\"}\n")
                      LOOP("behind", "'true'", "[1]", ""),
                  ports);
    lab_play(lab, lost);
    result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "an item was not reached", "unreachable", "-", 4);
    expect_rows(lab, "far 4 0 3", 1);
}

Test(outcomes, a_looped_task_leaves_the_rows_it_should_on_the_pinned_ansible, .timeout = 240)
{
    check_loops(NULL);
}

Test(outcomes, a_looped_task_leaves_the_rows_it_should_on_the_oldest_ansible, .timeout = 240)
{
    check_loops(lab_old_ansible());
}

Test(outcomes, a_looped_task_leaves_the_rows_it_should_on_the_newest_ansible, .timeout = 240)
{
    check_loops(lab_newest_ansible());
}
