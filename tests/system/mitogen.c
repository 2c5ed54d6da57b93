/* Plays under mitogen's strategies, by the user's own settings and by `accelerate: mitogen`: real ones, on
 * real hosts. What triphase promises of a phase holds there too. */
#include "../lab/damage.h"
#include "../lab/phase.h"
#include "../lab/sandbox.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(mitogen, .timeout = 240);

#define PLAY "- hosts: recipe_work\n  gather_facts: false\n"
/* One that is waited for by Ansible, and one that is asked for later. */
#define JOBS                                                                                        \
    "  tasks:\n    - name: waited for\n      ansible.builtin.command: sleep 0.5\n      async: 30\n" \
    "      poll: 1\n    - name: asked for later\n      ansible.builtin.command: sleep 0.1\n"        \
    "      async: 30\n      poll: 0\n      register: job\n    - name: asks\n      "                 \
    "ansible.builtin.async_status: {jid: \"{{ job.ansible_job_id }}\"}\n      register: r\n"        \
    "      until: r is finished\n      retries: 60\n      delay: 0.5\n"

/* `more`: further lines of ansible.cfg. */
static void use_mitogen(struct lab *lab, const char *more)
{
    lab_write(lab, "ansible.cfg", "[defaults]\nstrategy_plugins = %s\n%s", lab_mitogen(), more);
}

static struct lab *mitogen_project(const char *ansible)
{
    (void)lab_mitogen();
    struct lab *lab = lab_phase_project(ansible, "    attempts: 1\n");
    use_mitogen(lab, "strategy = mitogen_linear\n");
    return lab;
}

static struct lab *accelerated_project(const char *phase_keys)
{
    (void)lab_mitogen();
    struct lab *lab = lab_phase_project(NULL, phase_keys);
    lab_use_mitogen(lab);
    return lab;
}

/* ------------------------------------------------------------ async tasks */

static void check_async_tasks(const char *ansible)
{
    struct lab *lab = mitogen_project(ansible);
    lab_play(lab, PLAY JOBS);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "by ansible.cfg", "ok", "-", 0);
    use_mitogen(lab, "");
    /* The recipe's own playbook is the one that is looked at. */
    lab_write(lab, "playbooks/work.yml", "%s", PLAY "  strategy: mitogen_linear\n" JOBS);
    result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "by the play", "ok", "-", 0);
    cr_expect(strstr(result.err, "waited for"), "%s", result.err);
}

Test(mitogen, async_tasks_end_well_whoever_asks_for_the_strategy)
{
    check_async_tasks(NULL);
}

Test(mitogen, async_tasks_end_well_on_the_newest_ansible)
{
    check_async_tasks(lab_newest_ansible());
}

Test(mitogen, async_tasks_end_well_on_the_oldest_ansible)
{
    check_async_tasks(lab_old_ansible());
}

/* ------------------------------------------------------------ what is told */

Test(mitogen, the_record_is_whole_and_each_task_has_its_time)
{
    struct lab *lab = accelerated_project("    attempts: 1\n");
    lab_play(lab, PLAY "  roles: [mine]\n  tasks:\n    - ansible.builtin.command: sleep 0.3\n      loop: [1, "
                       "2]\n    - ansible.builtin.command: 'false'\n      ignore_errors: true\n"
                       "    - ansible.builtin.ping:\n      when: false\n  handlers:\n    - name: told\n"
                       "      ansible.builtin.ping:\n");
    lab_write(lab, "cases/roles/mine/tasks/main.yml",
              "- ansible.builtin.command: sleep 0.2\n  changed_when: true\n  notify: told\n");
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "all kinds of results", "ok", "-", 0);
    AUTO_FREE char *counts = lab_phase(
        lab,
        "ok || ' ' || changed || ' ' || failed || ' ' || ignored || ' ' || skipped || ' ' || survivors_here");
    cr_expect_str_eq(counts, "1 2 0 1 1 0");
    AUTO_FREE char *rows =
        lab_sql(lab,
                "SELECT group_concat(status || ' ' || flags || ' ' || items, ', ') FROM (SELECT * FROM task "
                "ORDER BY seq)");
    cr_expect_str_eq(rows, "1 0 0, 1 0 2, 3 1 0, 2 0 0, 0 8 0"); /* of a handler: 8 */
    AUTO_FREE char *untimed =
        lab_sql(lab,
                "SELECT group_concat(task) FROM slowest_task WHERE duration_ns IS NULL OR host <> 'host'");
    cr_expect_str_eq(untimed, "");
    cr_expect_gt(lab_sql_number(lab, "SELECT duration_ns FROM role_timing WHERE role = 'mine'"), 200000000);
}

Test(mitogen, a_host_that_is_lost_has_its_row_with_task_and_cause)
{
    struct lab *lab = accelerated_project("    attempts: 1\n");
    AUTO_FREE char *play = xasprintf(
        PLAY "  tasks:\n    - name: ignored\n      ansible.builtin.shell: kill -9 $PPID; sleep 9\n"
             "      ignore_unreachable: true\n    - ansible.builtin.command: 'true'\n"
             "    - name: lost\n      ansible.builtin.shell: kill -9 %d $(ps -o ppid= -p $PPID); sleep 9\n",
        (int)lab_sshd_pid(lab));
    lab_play(lab, play);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "sshd is gone, and the connection", "unreachable", "", 4);
    AUTO_FREE char *rows = lab_sql(
        lab,
        "SELECT group_concat(host || ' ' || task || ' ' || cause || ' ' || ignored, ', ') FROM unreachable");
    cr_expect_str_eq(rows, "host ignored other 1, host lost reset 0");
}

/* ------------------------------------------------------------ ended by triphase */

static bool has_both(void *context)
{
    struct lab *lab = context;
    AUTO_FREE char *job = xasprintf("1001.%d", (int)getpid()), *task = xasprintf("1002.%d", (int)getpid());
    (void)lab;
    return lab_processes(job) > 0 && lab_processes(task) > 0;
}

/* A job that is meant to stay, and a task that hangs. */
static void play_that_hangs(struct lab *lab)
{
    AUTO_FREE char *play = xasprintf(
        PLAY "  tasks:\n    - ansible.builtin.command: sleep 1001.%1$d\n      async: 900\n      poll: 0\n"
             "    - name: hangs\n      ansible.builtin.shell: sleep 1002.%1$d\n",
        (int)getpid());
    lab_play(lab, play);
}

static void expect_only_the_job(const char *what)
{
    AUTO_FREE char *job = xasprintf("sleep 1001.%d", (int)getpid()),
                   *task = xasprintf("1002.%d", (int)getpid());
    AUTO_FREE char *end = xasprintf("pkill -KILL -f '^sleep 1001.%d'", (int)getpid());
    cr_expect_eq(lab_processes(task), 0, "%s: the task is still there", what);
    AUTO_FREE char *pids = rig_output("pgrep -f '^%s'", job);
    cr_expect(*pids, "%s: the async job was ended", what);
    rig_shell("%s", end);
}

Test(mitogen, a_watchdog_and_a_cancel_end_what_hangs_and_leave_the_async_job)
{
    struct lab *lab =
        accelerated_project("    attempts: 1\n    task: 20s\n    grace: 1s\n    host_grace: 2s\n");
    play_that_hangs(lab);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "the task's watchdog", "task-timeout", "", 5);
    expect_only_the_job("the task's watchdog");
    AUTO_FREE char *left = lab_phase(lab, "survivors_here || ' ' || survivors_host || ' ' || host_evidence");
    cr_expect(text_starts(left, "0 0 looked at ") && strstr(left, "left alone: 1 of async jobs"), "%s", left);
    lab_write(lab, "phases/work.yml",
              "phases:\n  - name: work\n    playbook: playbooks/work.yml\n    attempts: 1\n"
              "    grace: 1s\n    host_grace: 2s\n");
    pid_t command = lab_start(lab, "run", "run", "host", NULL);
    cr_assert(lab_until(60, has_both, lab), "the task did not begin");
    struct lab_result cancel = lab_run(lab, "cancel", "host", NULL);
    cr_expect_eq(cancel.code, 0, "%s", cancel.err);
    cr_expect_eq(lab_wait(lab, command, 30), 130);
    expect_only_the_job("cancel");
    lab_expect_nothing_left(lab, "cancel");
}

/* With a logind session the job is found by that too; and what an attempt began is waited
 * for before the next one. */
Test(mitogen, the_next_attempt_waits_for_the_async_job_of_a_host_with_sessions)
{
    struct lab *lab = lab_mitogen_sandbox();
    lab_write(lab, "phases/work.yml",
              "phases:\n  - name: work\n    playbook: playbooks/work.yml\n    silence: 12s\n    grace: 1s\n"
              "    host_grace: 3s\n    retry_pause: 0s\n");
    lab_write(lab, "playbooks/work.yml",
              PLAY
              "  tasks:\n    - name: the job of the attempt before has ended\n"
              "      ansible.builtin.command: test -e /root/done\n"
              "      when: triphase_attempt | int == 2\n"
              "    - ansible.builtin.shell: sleep 25; touch /root/done\n      async: 100\n      poll: 0\n"
              "      when: triphase_attempt | int == 1\n"
              "    - ansible.builtin.shell: setsid sleep 1001.%1$d & sleep 1002.%1$d\n"
              "      when: triphase_attempt | int == 1\n",
              (int)getpid());
    struct lab_result result = lab_run(lab, "create", NULL);
    cr_expect_eq(result.code, 0, "%s", result.err);
    AUTO_FREE char *row =
        lab_sql(lab, "SELECT outcome || ' ' || survivors_host || ': ' || host_evidence FROM step "
                     "WHERE kind = 'phase' ORDER BY number LIMIT 1");
    cr_expect(text_starts(row, "silence 0: looked at environment, argv and logind session") &&
                  !strstr(row, "left alone: 0 of async jobs"),
              "%s", row);
    AUTO_FREE char *left = rig_output("pgrep -f 'sleep 100[12].%d$'", (int)getpid());
    cr_expect_str_eq(left, "");
    struct lab_result destroyed = lab_run(lab, "destroy", "--yes", "box", NULL);
    cr_expect_eq(destroyed.code, 0, "%s", destroyed.err);
}

/* ------------------------------------------------------------ async jobs of this machine */

static void check_here(const char *no_cgroup)
{
    (void)lab_mitogen();
    struct lab *lab = lab_new();
    lab_use_mitogen(lab);
    lab_environment(lab, "TRIPHASE_NO_CGROUP", no_cgroup);
    lab_static_project(lab, "  - name: work2\n    playbook: playbooks/two.yml\n",
                       PLAY
                       "  tasks:\n    - ansible.builtin.shell: until test -e {{ playbook_dir }}/../two; do "
                       "sleep 0.1; done; echo done > {{ playbook_dir }}/../job\n      delegate_to: "
                       "localhost\n      connection: local\n      async: 60\n      poll: 0\n"
                       "    - ansible.builtin.shell: sleep 300\n      delegate_to: localhost\n      "
                       "connection: local\n      async: 600\n      poll: 0\n");
    lab_write(lab, "playbooks/two.yml", "%s",
              PLAY "  tasks:\n    - ansible.builtin.command: touch {{ playbook_dir }}/../two\n"
                   "    - ansible.builtin.wait_for: {path: \"{{ playbook_dir }}/../job\", timeout: 20}\n");
    struct lab_result result = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(result.code, 0, "the job was ended with its phase: %s", result.err);
    lab_expect_nothing_left(lab, "a job that was not waited for");
}

Test(mitogen, an_async_job_on_this_machine_outlives_its_phase_and_ends_with_its_run)
{
    check_here(NULL);
}

Test(mitogen, an_async_job_on_this_machine_outlives_its_phase_without_a_cgroup_too)
{
    check_here("1");
}
