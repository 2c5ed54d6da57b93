/* What a broken attempt leaves on its host is found and ended, what is meant to stay is not, and the
 * run goes on over a transport that was verified anew. On real sandboxes whose network, ssh, sudo and
 * kernel are really harmed. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"
#include "lab/damage.h"
#include "lab/sandbox.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PHASE "    host_silent: 4s\n    host_grace: 3s\n    grace: 1s\n    retry_pause: 0s\n"
#define PLAY  "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
#define FIRST "      when: triphase_attempt | int == 1\n"
/* Three ways of running on: as a child of the task, in a session of its own, and without any mark in its
 * environment. %1$s: what tells them from all others. */
#define HANG                                                                                         \
    "    - name: hang\n      ansible.builtin.shell: \"setsid sleep 1001.%1$s & env -i setsid sleep " \
    "1002.%1$s & sleep 1003.%1$s\"\n"

static char *unique(void)
{
    return xasprintf("%d", (int)getpid());
}

/* A project whose target `box` is a sandbox; its playbook has `%1$s` replaced by
 * what is unique to this test. */
static struct lab *box_lab(const char *target_keys, const char *phase_keys, const char *playbook)
{
    rig_needed();
    struct lab *lab = lab_new();
    AUTO_TEXT tasks = TEXT_INIT;
    AUTO_FREE char *own = unique();
    for (const char *at = playbook, *mark; *at; at = mark) {
        mark = strstr(at, "%1$s");
        text_add_bytes(&tasks, at, mark ? (size_t)(mark - at) : strlen(at));
        if (!mark)
            break;
        text_add(&tasks, own);
        mark += strlen("%1$s");
    }
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  box:\n    provider: sandbox\n    recipe: work\n%s", target_keys);
    lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: playbooks/work.yml\n%s%s",
              PHASE, phase_keys);
    lab_write(lab, "playbooks/work.yml", "%s", text_string(&tasks));
    return lab;
}

static void shell(const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_do_argv(30 * NS_PER_S, argv, NULL, &err) == 0, "%s: %s", script, error_text(&err));
}

/* The sandbox's own network loses every packet, or none again. */
static void drop_packets(struct lab *lab, bool drop)
{
    AUTO_FREE char *id = lab_sql(lab, "SELECT substr(id, -10) FROM machine");
    AUTO_FREE char *script = xasprintf("ip netns exec tp%s iptables -%c INPUT -j DROP", id, drop ? 'I' : 'D');
    shell(script);
}

/* Processes that are that sleep itself. What runs on the guest stands in this machine's /proc too. */
static int running(const char *number)
{
    AUTO_FREE char *own = unique();
    AUTO_FREE char *script =
        xasprintf("n=0; for f in /proc/[0-9]*/cmdline; do [ \"$( (tr '\\0' ' ' <$f) 2>/dev/null)\" "
                  "= 'sleep %s.%s ' ] && n=$((n + 1)); done; printf %%s $n",
                  number, own);
    const char *const argv[] = {"sh", "-c", script, NULL};
    AUTO_TEXT out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_do_argv(30 * NS_PER_S, argv, &out, &err) == 0, "%s", error_text(&err));
    return (int)strtol(text_string(&out), NULL, 10);
}

static bool hangs(void *context)
{
    AUTO_FREE char *own = unique(), *last = xasprintf("1003.%s", own);
    (void)context;
    return lab_processes(last) && running("1001") && running("1002") && running("1003");
}

static pid_t create_until_it_hangs(struct lab *lab)
{
    pid_t command = lab_start(lab, "create", "create", NULL);
    bool there = lab_until(60, hangs, NULL);
    AUTO_FREE char *said = lab_read(lab, "create.err");
    cr_assert(there, "the task did not begin: %s", said);
    return command;
}

static void hold_gone(void)
{
    cr_expect(eq(int, running("1001"), 0), "in a session of its own");
    cr_expect(eq(int, running("1002"), 0), "without a mark in its environment");
    cr_expect(eq(int, running("1003"), 0), "the task's own child");
}

/* Steps of the last run as "name outcome" words. */
static char *steps(struct lab *lab)
{
    return lab_sql(lab,
                   "SELECT group_concat(name || ' ' || outcome, ', ') FROM (SELECT * FROM step WHERE run = "
                   "(SELECT max(number) FROM run) ORDER BY seq)");
}

/* Survivors and evidence of the first attempt of the phase that ever ran. */
static char *host_row(struct lab *lab)
{
    return lab_sql(lab,
                   "SELECT coalesce(survivors_host, 'null') || ': ' || host_evidence FROM step WHERE kind = "
                   "'phase' ORDER BY number LIMIT 1");
}

static void hold_row(struct lab *lab, const char *begin, const char *words)
{
    AUTO_FREE char *row = host_row(lab);
    cr_expect(text_starts(row, begin), "'%s' does not begin with '%s'", row, begin);
    cr_expect(strstr(row, words) != NULL, "'%s' does not say '%s'", row, words);
}

static void show(struct lab *lab, const char *what)
{
    AUTO_FREE char *times =
        lab_sql(lab, "SELECT group_concat(name || ' ' || outcome || ' ' || (duration_ns / 1000000) || ' ms', "
                     "', ') FROM (SELECT "
                     "* FROM step WHERE run = (SELECT max(number) FROM run) ORDER BY seq)");
    FILE *file = getenv("RECOVERY_FIGURES") ? fopen(getenv("RECOVERY_FIGURES"), "a") : NULL;
    if (file) {
        fprintf(file, "%s: %s\n", what, times);
        fclose(file);
    }
}

static int on_guest(struct lab *lab, const char *script)
{
    return lab_run(lab, "ssh", "box", "--", script, NULL).code;
}

Test(recovery, silence_ends_what_the_phase_left_and_spares_jobs_services_and_strangers, .timeout = 240)
{
    struct lab *lab = box_lab(
        "", "    silence: 12s\n",
        PLAY "    - name: the job of the attempt before has ended\n"
             "      ansible.builtin.command: test -e /root/done\n"
             "      when: triphase_attempt | int == 2\n"
             "    - ansible.builtin.shell: sleep 20; touch /root/done\n      async: 100\n"
             "      poll: 0\n" FIRST
             "    - ansible.builtin.shell: systemd-run --unit=kept --setenv=TRIPHASE_STEP=$TRIPHASE_STEP env "
             "sleep 1004.%1$s\n" FIRST HANG FIRST);
    pid_t command = create_until_it_hangs(lab);
    AUTO_FREE char *run = damage_run(lab), *own = unique();
    /* Somebody else: a mark that is nearly the step's, and the very mark as an argument of a
     * program that hands nothing on. */
    AUTO_FREE char *near =
        xasprintf("TRIPHASE_STEP=%s/030 setsid sleep 1005.%s </dev/null >/dev/null 2>&1 &", run, own);
    cr_assert(eq(int, on_guest(lab, near), 0));
    AUTO_FREE char *words =
        xasprintf("setsid python3 -c 'import time; time.sleep(1000)' 1006.%s 'TRIPHASE_RUN=%s "
                  "TRIPHASE_STEP=%s/03 ' </dev/null >/dev/null 2>&1 &",
                  own, run, run);
    cr_assert(eq(int, on_guest(lab, words), 0));

    int code = lab_wait(lab, command, 120);
    AUTO_FREE char *said = lab_read(lab, "create.err");
    cr_assert(eq(int, code, 0), "%s", said);

    show(lab, "silence");
    hold_gone();
    cr_expect(eq(int, running("1004"), 1), "a service was ended");
    cr_expect(eq(int, running("1005"), 1), "a mark that is nearly the step's was taken for it");
    AUTO_FREE char *argument = xasprintf("1006.%s", own);
    cr_expect(eq(int, lab_processes(argument), 1),
              "a program with the mark as its argument was taken for the step's");
    AUTO_FREE char *row = steps(lab);
    cr_expect_str_eq(row,
                     "provision ok, transport ok, work silence, sweep ok, async ok, transport ok, work ok");
    hold_row(lab, "0: looked at environment, argv and logind session", "left alone");
    struct lab_result report = lab_run(lab, "report", "--json", NULL);
    cr_expect(strstr(report.out, "\"host\": 0") && strstr(report.out, "looked at environment"), "%s",
              report.out);
}

Test(recovery, cancel_ends_what_a_plain_user_started_and_what_it_started_through_sudo, .timeout = 180)
{
    struct lab *lab =
        box_lab("    user: deploy\n", "",
                PLAY "    - ansible.builtin.shell: setsid sleep 1004.%1$s >/dev/null 2>&1 &\n" HANG
                     "      become: true\n");
    pid_t command = create_until_it_hangs(lab);
    kill(command, SIGINT);
    double began = (double)moment_monotonic() / 1e9;
    cr_assert(eq(int, lab_wait(lab, command, 40), 130));
    double took = (double)moment_monotonic() / 1e9 - began;
    cr_expect(took < 12, "cancelling took %.1f s", took);

    show(lab, "cancel, user deploy with sudo");
    hold_gone();
    cr_expect(eq(int, running("1004"), 0), "what the plain user started");
    AUTO_FREE char *row = steps(lab);
    cr_expect_str_eq(row, "provision ok, transport ok, work cancelled, sweep ok");
    hold_row(lab, "0: looked at environment, argv and logind session; ", "found");
}

Test(recovery, a_user_without_sudo_says_what_it_could_not_look_at, .timeout = 180)
{
    struct lab *lab =
        box_lab("    user: deploy\n", "",
                PLAY "    - ansible.builtin.shell: setsid sleep 1003.%1$s & setsid sleep 1002.%1$s & "
                     "sudo rm /etc/sudoers.d/deploy; sudo -k; setsid sleep 1001.%1$s & sleep 1000\n");
    pid_t command = create_until_it_hangs(lab);
    kill(command, SIGINT);
    cr_assert(eq(int, lab_wait(lab, command, 40), 130));

    show(lab, "cancel, user deploy without sudo");
    hold_gone();
    hold_row(lab, "0: looked at", "without sudo: other users' environments were not seen");
}

Test(recovery, what_an_ordinary_user_may_not_end_is_counted_as_left, .timeout = 180)
{
    struct lab *lab = box_lab("    user: deploy\n", "",
                              PLAY "    - ansible.builtin.shell: sudo setsid -f sleep 1002.%1$s; sleep 1; "
                                   "sudo rm /etc/sudoers.d/deploy; "
                                   "setsid sleep 1001.%1$s & sleep 1003.%1$s\n");
    pid_t command = create_until_it_hangs(lab);
    kill(command, SIGINT);
    cr_assert(eq(int, lab_wait(lab, command, 40), 130));
    cr_expect(eq(int, running("1001"), 0));
    cr_expect(eq(int, running("1003"), 0));
    AUTO_FREE char *row = host_row(lab);
    cr_expect(row[0] >= '1' && row[0] <= '9', "%s", row);
    cr_expect(strstr(row, "sleep") != NULL, "%s", row);
}

Test(recovery, a_second_cancel_leaves_the_look_to_the_next_run, .timeout = 180)
{
    struct lab *lab = box_lab("", "", PLAY HANG FIRST);
    lab_environment(lab, "TRIPHASE_PHASES_WORK_WORK_GRACE", "5m");
    pid_t command = create_until_it_hangs(lab);
    AUTO_FREE char *run = damage_run(lab);
    drop_packets(lab, true); /* else the look would be over before the second one */
    kill(command, SIGINT);
    cr_assert(lab_until_sql(lab, 30, "SELECT count(*) FROM step WHERE name = 'sweep'"));
    kill(command, SIGINT);
    cr_assert(eq(int, lab_wait(lab, command, 10), 130));
    hold_row(lab, "null: nobody could look: the run was cancelled a second time", "makes up for it");

    drop_packets(lab, false);
    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    struct lab_result next = lab_run(lab, "run", "box", NULL);
    cr_assert(eq(int, next.code, 0), "%s", next.err);
    hold_gone();
    hold_row(lab, "0: looked at", "found");
}

/* The connection breaks in the first attempt; a handler that it owed runs in the second. */
#define CHANGE \
    "    - ansible.builtin.command: {cmd: touch /root/made, creates: /root/made}\n      notify: note\n"
#define HANDLED                                                                          \
    "- hosts: recipe_work\n  gather_facts: false\n  handlers:\n    - name: note\n      " \
    "ansible.builtin.shell: "                                                            \
    "echo {{ triphase_attempt }} >>/root/noted\n  tasks:\n"

static void hold_recovered(struct lab *lab, pid_t command, const char *what, const char *outcome)
{
    int code = lab_wait(lab, command, 150);
    AUTO_FREE char *said = lab_read(lab, "create.err"), *row = steps(lab);
    show(lab, what);
    cr_assert(eq(int, code, 0), "%s: %s", what, said);
    AUTO_FREE char *ends = xasprintf("provision ok, transport ok, work %s, sweep ", outcome);
    cr_expect(text_starts(row, ends) && text_ends(row, "work ok"), "%s: %s", what, row);
    hold_gone();
    cr_expect(eq(int, on_guest(lab, "test \"$(cat /root/noted)\" = 2"), 0),
              "%s: the owed handler did not run in the "
              "second attempt",
              what);
}

Test(recovery, a_killed_master_is_replaced_and_the_owed_handler_runs, .timeout = 240)
{
    struct lab *lab = box_lab("", "", HANDLED CHANGE HANG FIRST);
    pid_t command = create_until_it_hangs(lab);
    AUTO_FREE char *run = damage_run(lab);
    AUTO_FREE char *script =
        xasprintf("for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q "
                  "'^ssh .*%s.* -f -N ' && kill -9 ${p#/proc/}; done; true",
                  run + strlen(run) - 12);
    shell(script);
    hold_recovered(lab, command, "master killed", "unreachable");
    hold_row(lab, "0: looked at environment, argv and logind session; ", "found");
}

Test(recovery, packets_lost_for_twenty_seconds_are_waited_out, .timeout = 300)
{
    struct lab *lab = box_lab("", "", HANDLED CHANGE HANG FIRST);
    pid_t command = create_until_it_hangs(lab);
    drop_packets(lab, true);
    sleep(20); /* the fault's own length */
    drop_packets(lab, false);
    hold_recovered(lab, command, "packets dropped for 20 s", "unreachable");
    hold_row(lab, "0: looked at", "found");
}

Test(recovery, where_nobody_could_look_the_next_run_makes_up_for_it, .timeout = 240)
{
    struct lab *lab = box_lab("    stage_deadline: {sweep: 4s}\n", "    attempts: 1\n", PLAY HANG);
    pid_t command = create_until_it_hangs(lab);
    drop_packets(lab, true);
    cr_assert(eq(int, lab_wait(lab, command, 60), 4));
    AUTO_FREE char *row = steps(lab);
    cr_expect_str_eq(row, "provision ok, transport ok, work unreachable, sweep unreachable");
    hold_row(lab, "null: nobody could look: ", "the next contact with the host makes up for it");
    cr_assert(gt(int, running("1002"), 0));

    drop_packets(lab, false);
    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    struct lab_result next = lab_run(lab, "run", "box", NULL);
    cr_assert(eq(int, next.code, 0), "%s", next.err);
    show(lab, "made up for by the next run");
    AUTO_FREE char *after = steps(lab);
    cr_expect_str_eq(after, "transport ok, sweep ok, work ok");
    hold_gone();
    hold_row(lab, "0: looked at", "found");
}

Test(recovery, what_a_dead_worker_left_on_the_host_is_ended_by_the_next_run, .timeout = 240)
{
    struct lab *lab = box_lab("", "", PLAY HANG);
    pid_t command = create_until_it_hangs(lab);
    damage_kill_both(lab);
    cr_assert(eq(int, lab_wait(lab, command, 10), 70));
    cr_assert(gt(int, running("1002"), 0));
    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    struct lab_result next = lab_run(lab, "create", NULL);
    cr_assert(eq(int, next.code, 0), "%s", next.err);
    hold_gone();
    hold_row(lab, "0: looked at environment, argv and logind session", "found");
    AUTO_FREE char *after = steps(lab);
    cr_expect_str_eq(after, "provision ok, transport ok, sweep ok, work ok");
}

Test(recovery, a_killed_fork_of_ansible_leaves_nothing_of_its_task_on_the_host, .timeout = 180)
{
    struct lab *lab = box_lab("", "", PLAY HANG);
    pid_t command = create_until_it_hangs(lab);
    AUTO_FREE char *run = damage_run(lab);
    AUTO_FREE char *script =
        xasprintf("all=$(pgrep -f '/%s/launcher/triphase_launch.py'); for p in $all; do for q in $all; do "
                  "[ \"$(ps -o ppid= -p $p | tr -d ' ')\" = $q ] && kill -9 $p; done; done; true",
                  run);
    shell(script);

    cr_assert(eq(int, lab_wait(lab, command, 60), 2));

    AUTO_FREE char *row = steps(lab);
    cr_expect_str_eq(row, "provision ok, transport ok, work failed, sweep ok");
    hold_gone();
    hold_row(lab, "0: looked at", "found");
}

/* A task that has systemd look after something of its own. */
#define KEPT                                                                                             \
    "    - ansible.builtin.shell: systemd-run --unit=kept --setenv=TRIPHASE_RUN={{ triphase_run }} env " \
    "sleep "                                                                                             \
    "1004.%1$s\n"

Test(recovery, cancelling_at_once_does_not_wait_for_what_still_runs_on_the_host, .timeout = 180)
{
    struct lab *lab = box_lab("", "", PLAY HANG);
    pid_t command = create_until_it_hangs(lab);
    int64_t asked = moment_monotonic();

    struct lab_result cancelled = lab_run(lab, "cancel", "--now", "box", NULL);

    cr_assert(eq(int, cancelled.code, 0), "%s", cancelled.err);
    cr_expect(lt(dbl, (double)(moment_monotonic() - asked) / 1e9, 10));
    cr_expect(strstr(cancelled.err, "its host is looked at by the next run") != NULL, "%s", cancelled.err);
    cr_assert(eq(int, lab_wait(lab, command, 10), 130));
    cr_expect(gt(int, running("1002"), 0));
    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    struct lab_result next = lab_run(lab, "run", "box", NULL);
    cr_assert(eq(int, next.code, 0), "%s", next.err);
    hold_gone();
}

Test(recovery, what_is_meant_to_stay_on_the_host_outlives_a_crash_and_putting_it_in_order, .timeout = 180)
{
    struct lab *lab = box_lab("", "", PLAY KEPT HANG);
    pid_t command = create_until_it_hangs(lab);
    cr_assert(eq(int, running("1004"), 1));
    damage_kill_both(lab);
    cr_assert(eq(int, lab_wait(lab, command, 10), 70));

    struct lab_result settled = lab_run(lab, "cancel", "box", NULL);

    cr_assert(eq(int, settled.code, 0), "%s", settled.err);
    cr_expect(eq(int, running("1004"), 1), "by putting the run in order");
    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    struct lab_result next = lab_run(lab, "run", "box", NULL);
    cr_assert(eq(int, next.code, 0), "%s", next.err);
    hold_gone();
    cr_expect(eq(int, running("1004"), 1), "by the look at the host");
}

Test(recovery, a_restarted_sshd_breaks_nothing, .timeout = 180)
{
    struct lab *lab = box_lab("", "",
                              PLAY "    - ansible.builtin.command: systemctl restart ssh\n"
                                   "    - ansible.builtin.command: sleep 1\n");
    struct lab_result made = lab_run(lab, "create", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    AUTO_FREE char *row = steps(lab);
    cr_expect_str_eq(row, "provision ok, transport ok, work ok");
    hold_row(lab, "null: nobody looked: the phase came to its own end", "");
}

Test(recovery, a_phase_may_reboot_its_host, .timeout = 240)
{
    struct lab *lab = box_lab("", "    reboots: true\n    facts: cached\n",
                              PLAY "    - ansible.builtin.reboot:\n        reboot_timeout: 60\n");
    lab_write(
        lab, "phases/work.yml",
        "phases:\n  - name: work\n    playbook: playbooks/work.yml\n%s    reboots: true\n  - name: after\n"
        "    playbook: playbooks/after.yml\n",
        PHASE);
    lab_write(lab, "playbooks/after.yml", PLAY "    - ansible.builtin.command: 'true'\n");
    struct lab_result made = lab_run(lab, "create", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    show(lab, "reboots: true");
    AUTO_FREE char *row = steps(lab);
    cr_expect_str_eq(row, "provision ok, transport ok, work ok, transport ok, after ok");
    AUTO_FREE char *detail = lab_sql(lab, "SELECT detail FROM event WHERE kind = 'rebooted'");
    cr_expect(strstr(detail, "the host rebooted, as the phase said") && strstr(detail, "\"expected\":true"),
              "%s", detail);
}

Test(recovery, a_host_that_reboots_by_itself_is_waited_for_and_said_to_have_done_so, .timeout = 240)
{
    struct lab *lab = box_lab("", "", HANDLED CHANGE HANG FIRST);
    pid_t command = create_until_it_hangs(lab);
    (void)on_guest(lab, "systemctl reboot --force");
    hold_recovered(lab, command, "rebooted by itself", "unreachable");
    AUTO_FREE char *detail = lab_sql(lab, "SELECT detail FROM event WHERE kind = 'rebooted'");
    cr_expect(strstr(detail, "though the phase has no 'reboots: true'") != NULL, "%s", detail);
    hold_row(lab, "0: looked at", "the host rebooted since; 0 found");
}
