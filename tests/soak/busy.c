/* A host that works as hard as it can is not called dead: load 50, and an sshd that runs and stands still
 * by turns, as under swapping. On a real sandbox, which shares its processors with triphase itself: that
 * has to bear the load as well. */
#include "lab/sandbox.h"

#include "base/memory.h"
#include "lab/damage.h"
#include "lab/phase.h"

#include <criterion/criterion.h>

/* A made host runs these tasks to their end, and nothing is noted. */
static void hold_undisturbed(const char *tasks)
{
    rig_needed();
    struct lab *lab = lab_new();
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  box:\n    provider: sandbox\n    recipe: work\n");
    lab_write(lab, "phases/work.yml",
              "phases:\n  - name: work\n    playbook: playbooks/work.yml\n    attempts: 1\n");
    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n%s", tasks);
    pid_t command = lab_start(lab, "create", "create", "box", NULL);
    cr_expect_eq(lab_wait(lab, command, 400), 0);
    AUTO_FREE char *outcome = lab_phase(lab, "outcome"), *message = lab_phase(lab, "message");
    cr_expect_str_eq(outcome, "ok", "%s: %s", outcome, message);
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM unreachable"), 0);
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM event WHERE kind IN ('watchdog', 'forensics', "
                                     "'retry', 'unreachable')"),
                 0);
    struct lab_result gone = lab_run(lab, "destroy", "box", "--yes", NULL);
    cr_expect_eq(gone.code, 0, "%s", gone.err);
}

/* The task fails unless fifty were running at once, and goes on with what is done over
 * the connection meanwhile. */
Test(soak_busy, a_host_at_load_fifty_is_not_called_dead, .timeout = 600)
{
    hold_undisturbed(
        "    - name: Load\n      ansible.builtin.shell: |\n"
        "        for i in $(seq 50); do (timeout 45 sh -c 'while :; do :; done' &) ; done\n"
        "        sleep 10; read -r _ _ _ running _ < /proc/loadavg; test ${running%%/*} -ge 50\n"
        "      changed_when: false\n"
        "    - name: Silent under load\n      ansible.builtin.command: sleep 20\n      changed_when: false\n"
        "    - name: Busy under load\n      ansible.builtin.copy: {content: \"{{ item }}\", dest: \"/root/{{ "
        "item }}\", mode: \"0600\"}\n"
        "      loop: [a, b, c, d, e]\n");
}

/* Stands still for 4 s, runs for 1 s, twelve times: what a page fault in every
 * other call makes of an sshd. */
Test(soak_busy, an_sshd_that_stands_still_again_and_again_is_not_called_dead, .timeout = 600)
{
    hold_undisturbed(
        "    - name: Stand still by turns\n      ansible.builtin.shell: |\n"
        "        setsid sh -c 'for i in $(seq 12); do pkill -STOP -x sshd; sleep 4; pkill -CONT -x "
        "sshd; sleep 1; done' >/dev/null 2>&1 &\n"
        "        sleep 2\n"
        "      changed_when: false\n"
        "    - name: Silent\n      ansible.builtin.command: sleep 30\n      changed_when: false\n"
        "    - name: Busy\n      ansible.builtin.copy: {content: \"{{ item }}\", dest: \"/root/{{ "
        "item }}\", mode: \"0600\"}\n"
        "      loop: [a, b, c, d, e]\n");
}

/* An apt-get that says nothing for long, over a connection on which nothing else happens. */
Test(soak_busy, a_task_that_is_silent_for_five_minutes_is_not_called_dead, .timeout = 900)
{
    hold_undisturbed(
        "    - name: Silent\n      ansible.builtin.command: sleep 300\n      changed_when: false\n");
}
