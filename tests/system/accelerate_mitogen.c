/* `accelerate: mitogen`: tasks are carried out by mitogen and are, for triphase and for whoever reads the
 * log, Ansible's. */
#include "../lab/damage.h"
#include "../lab/phase.h"
#include "../lab/sandbox.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(accelerate_mitogen, .timeout = 240);

#define PLAY "- hosts: recipe_work\n  gather_facts: false\n"
/* Says what process runs it. */
#define WHO(file) "echo $PPID >> " file

static struct lab *mitogen_project(const char *ansible, const char *phase_keys)
{
    (void)lab_mitogen();
    struct lab *lab = lab_phase_project(ansible, phase_keys);
    lab_use_mitogen(lab);
    return lab;
}

/* It is made and gone through well, and removed. */
static void expect_sandbox_well(struct lab *lab)
{
    struct lab_result result = lab_run(lab, "create", NULL);
    cr_expect_eq(result.code, 0, "%s", result.err);
    struct lab_result destroyed = lab_run(lab, "destroy", "--yes", "box", NULL);
    cr_expect_eq(destroyed.code, 0, "%s", destroyed.err);
}

/* Ansible has an interpreter for each task, mitogen one for all. */
static bool is_mitogens(struct lab *lab, const char *file)
{
    AUTO_FREE char *pids = lab_read(lab, file);
    size_t length = strcspn(pids, "\n") + 1;
    return strlen(pids) == 2 * length && !strncmp(pids, pids + length, length);
}

static char *step_log(struct lab *lab)
{
    AUTO_FREE char *path = lab_phase(lab, "log");
    AUTO_TEXT text = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *whole =
        *path == '/' ? xstrdup(path) : xasprintf("%s/.triphase/%s", lab_folder(lab), path);
    cr_assert(file_read(whole, 1 << 20, &text, &err) == 0, "%s", error_text(&err));
    return text_take(&text);
}

static void check_carries(const char *ansible)
{
    struct lab *lab = mitogen_project(ansible, "    attempts: 1\n");
    AUTO_FREE char *play = xasprintf(
        "- hosts: recipe_work\n  tasks:\n"
        "    - ansible.builtin.shell: \"" WHO(
            "%1$s/there") "\"\n      loop: [1, 2]\n      notify: told\n"
                          "    - ansible.builtin.shell: \"" WHO(
                              "here") "; pwd > cwd; echo $TRIPHASE_STEP > mark\"\n"
                                      "      loop: [1, 2]\n      delegate_to: localhost\n      vars: "
                                      "{ansible_connection: local}\n"
                                      "    - ansible.builtin.command: sleep 0.2\n      async: 30\n      "
                                      "poll: 1\n"
                                      "    - ansible.builtin.assert: {that: [ansible_facts.hostname is "
                                      "defined]}\n"
                                      "  handlers:\n    - name: told\n      ansible.builtin.ping:\n",
        lab_folder(lab));
    lab_play(lab, play);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "a phase", "ok", "-", 0);
    cr_expect(is_mitogens(lab, "there"), "mitogen did not carry out the host's task");
    cr_expect_not(is_mitogens(lab, "cases/here"), "mitogen carried out this machine's task");
    AUTO_FREE char *mark = lab_read_line(lab, "cases/mark"),
                   *step =
                       lab_sql(lab,
                               "SELECT printf('%s/%02d', run.id, step.seq) FROM step JOIN run ON run.number "
                               "= step.run WHERE step.kind = 'phase' ORDER BY step.number DESC LIMIT 1");
    cr_expect_str_eq(mark, step);
    AUTO_FREE char *log = step_log(lab);
    cr_expect_not(strstr(log, "trategy"), "the log speaks of strategies: %s", log);
}

Test(accelerate_mitogen, tasks_of_the_host_are_mitogens_and_those_of_this_machine_are_in_the_phase)
{
    check_carries(NULL);
}

Test(accelerate_mitogen,
     tasks_of_the_host_are_mitogens_and_those_of_this_machine_are_in_the_phase_on_the_newest_ansible)
{
    check_carries(lab_newest_ansible());
}

Test(accelerate_mitogen,
     tasks_of_the_host_are_mitogens_and_those_of_this_machine_are_in_the_phase_on_the_oldest_ansible)
{
    check_carries(lab_old_ansible());
}

/* ------------------------------------------------------------ one multiplexer for all phases */

#define MODULE(said) \
    "from ansible.module_utils.basic import AnsibleModule\nAnsibleModule({}).exit_json(said='" said "')\n"

static void check_shared(const char *ansible)
{
    (void)lab_mitogen();
    struct lab *lab = lab_new();
    if (ansible)
        lab_ansible(lab, ansible);
    lab_static_project(lab, "", PLAY "  tasks: []\n");
    lab_use_mitogen(lab);
    lab_write(lab, "phases/work.yml", "%s",
              "phases:\n  - {name: first, playbook: playbooks/first.yml}\n"
              "  - {name: second, playbook: playbooks/second.yml}\n"
              "  - {name: third, playbook: playbooks/third.yml}\n"
              "  - {name: fourth, playbook: playbooks/fourth.yml}\n");
    lab_write(lab, "playbooks/library/mine.py", "#!/usr/bin/python3\n%s", MODULE("old"));
    lab_write(lab, "new.py", "#!/usr/bin/python3\n%s", MODULE("new"));
    const char *const names[] = {"first", "second", "third", "fourth"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *path = xasprintf("playbooks/%s.yml", names[i]);
        lab_write(
            lab, path,
            PLAY
            "  tasks:\n    - {mine: , register: it}\n    - ansible.builtin.assert: {that: [it.said == "
            "'%s']}\n    - ansible.builtin.shell: \"" WHO(
                "%s/there") "\"\n    - ansible.builtin.command: {cmd: %s, chdir: '{{ playbook_dir }}/..'}\n"
                            "      delegate_to: localhost\n      vars: {ansible_connection: local}\n",
            i < 3 ? "old" : "new", lab_folder(lab),
            i == 2 ? "cp new.py playbooks/library/mine.py" : "sh -c 'cat /proc/self/cgroup > group'");
    }
    struct lab_result result = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    AUTO_FREE char *pids = lab_read(lab, "there"), *group = lab_read(lab, "group");
    AUTO_WORDS lines = WORDS_INIT;
    cr_assert_eq(words_add_split(&lines, pids), 0);
    cr_assert_eq(lines.count, 4, "%s", pids);
    /* Without cgroups each has its own; and the first one does not wait long for what it could share. */
    if (strstr(group, "/run-"))
        cr_expect_str_eq(lines.items[1], lines.items[2], "two phases had two interpreters on the host");
    cr_expect_str_neq(lines.items[2], lines.items[3], "a changed module found the old interpreter");
    lab_expect_nothing_left(lab, "a run of four phases");
}

Test(accelerate_mitogen, phases_share_an_interpreter_on_the_host_until_a_module_has_changed)
{
    check_shared(NULL);
}

Test(accelerate_mitogen,
     phases_share_an_interpreter_on_the_host_until_a_module_has_changed_on_the_oldest_ansible)
{
    check_shared(lab_old_ansible());
}

/* Its interpreter is a wrapper. */
Test(accelerate_mitogen,
     phases_share_an_interpreter_on_the_host_until_a_module_has_changed_on_the_newest_ansible)
{
    check_shared(lab_newest_ansible());
}

/* ------------------------------------------------------------ faults */

static double seconds_of(struct lab *lab, const char *task)
{
    AUTO_FREE char *query = xasprintf("SELECT duration_ns FROM slowest_task WHERE task = '%s'", task);
    return (double)lab_sql_number(lab, query) / 1e9;
}

static void check_timeout(const char *ansible)
{
    struct lab *lab = mitogen_project(ansible, "    attempts: 1\n");
    lab_play(
        lab, PLAY
        "  tasks:\n    - ansible.builtin.command: sleep 40\n      timeout: 2\n      ignore_errors: true\n"
        "    - {name: the next, ansible.builtin.command: 'true'}\n");
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "behind a task that ran out of its time", "ok", "-", 0);
    cr_expect_lt(seconds_of(lab, "the next"), 20.0, "it waited for the one before");
}

Test(accelerate_mitogen, a_task_that_ran_out_of_its_time_holds_the_next_one_up_no_longer)
{
    check_timeout(NULL);
}

Test(accelerate_mitogen,
     a_task_that_ran_out_of_its_time_holds_the_next_one_up_no_longer_on_the_oldest_ansible)
{
    check_timeout(lab_old_ansible());
}

Test(accelerate_mitogen,
     a_module_that_a_signal_ended_is_unreachable_and_no_dead_transport_and_the_next_task_runs)
{
    struct lab *lab = mitogen_project(NULL, "    attempts: 1\n");
    lab_play(lab, PLAY
             "  tasks:\n    - ansible.builtin.shell: kill -9 $PPID; sleep 9\n      ignore_unreachable: true\n"
             "    - ansible.builtin.command: 'true'\n    - ansible.builtin.shell: kill -9 $PPID; sleep 9\n");
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "killed", "unreachable", "-", 4);
    AUTO_FREE char *rows =
        lab_sql(lab, "SELECT group_concat(cause || ' ' || ignored, ', ') FROM unreachable");
    cr_expect_str_eq(rows, "other 1, other 0");
}

/* The phase between them is Ansible's own: while it waits, nothing asks the multiplexer. */
Test(accelerate_mitogen, a_multiplexer_that_died_between_two_phases_is_made_anew)
{
    (void)lab_mitogen();
    struct lab *lab = lab_new();
    lab_static_project(lab, "", PLAY "  tasks: []\n");
    lab_use_mitogen(lab);
    lab_environment(lab, "TRIPHASE_ACCELERATE", NULL);
    lab_write(lab, "phases/work.yml", "%s",
              "phases:\n  - {name: before, playbook: playbooks/there.yml, accelerate: mitogen}\n"
              "  - {name: between, playbook: playbooks/between.yml, accelerate: none}\n"
              "  - {name: behind, playbook: playbooks/there.yml, accelerate: mitogen}\n");
    AUTO_FREE char *there =
        xasprintf(PLAY "  tasks:\n    - ansible.builtin.shell: \"" WHO("%s/there") "\"\n", lab_folder(lab));
    lab_write(lab, "playbooks/there.yml", "%s", there);
    lab_write(lab, "playbooks/between.yml",
              PLAY
              "  tasks:\n    - ansible.builtin.shell: touch %1$s/waits; until test -e %1$s/goes; do sleep "
              "0.1; done\n",
              lab_folder(lab));
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 60, "waits"));
    /* A child of the process that forks the phases, with its words. */
    AUTO_FREE char *mux = rig_output("for p in $(pgrep -f '%s/.*--zygote'); do grep -qas -e --zygote "
                                     "/proc/$(ps -o ppid= -p $p | tr -d ' ')/cmdline && echo $p; done",
                                     lab_folder(lab));
    for (char *end = mux; *end; end += strspn(end, "\n")) {
        damage_kill((pid_t)strtol(end, &end, 10));
    }
    lab_write(lab, "goes", "%s", "");
    cr_expect_eq(lab_wait(lab, command, 60), 0);
    AUTO_FREE char *used = lab_sql(
        lab, "SELECT group_concat(accelerated || ' ' || coalesce(accelerated_why, '-'), ', ') FROM (SELECT * "
             "FROM step WHERE kind = 'phase' ORDER BY seq)");
    cr_expect_str_eq(used, "mitogen -, none -, mitogen -");
    /* Without cgroups each phase has its own anyway. */
    cr_expect(*mux || lab_sql_number(lab, "SELECT count(*) FROM step WHERE scope = 'session'"),
              "none was there");
    lab_expect_nothing_left(lab, "a multiplexer that died");
}

Test(accelerate_mitogen, what_a_module_changes_in_its_own_process_stays_until_the_connection_is_reset)
{
    struct lab *lab = mitogen_project(NULL, "    attempts: 1\n");
    lab_write(lab, "cases/library/mine.py", "#!/usr/bin/python3\nimport os\nos.umask(0o027)\n%s",
              MODULE("it"));
    lab_play(lab,
             PLAY "  tasks:\n    - {ansible.builtin.shell: umask, register: before}\n    - mine:\n"
                  "    - {ansible.builtin.shell: umask, register: behind}\n    - meta: reset_connection\n"
                  "    - {ansible.builtin.shell: umask, register: anew}\n"
                  "    - ansible.builtin.assert: {that: [before.stdout != '0027', behind.stdout == '0027', "
                  "anew.stdout == before.stdout]}\n");
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "a module that sets the umask", "ok", "-", 0);
}

Test(accelerate_mitogen, groups_are_those_of_the_login_until_the_connection_is_reset)
{
    struct lab *lab = lab_mitogen_sandbox();
    lab_write(lab, "phases/work.yml",
              "phases:\n  - {name: work, playbook: playbooks/work.yml, attempts: 1}\n");
    lab_write(lab, "playbooks/work.yml",
              PLAY "  tasks:\n    - ansible.builtin.group: {name: extra}\n"
                   "    - ansible.builtin.user: {name: root, groups: extra, append: true}\n"
                   "    - {ansible.builtin.command: id -nG, register: before}\n    - meta: reset_connection\n"
                   "    - {ansible.builtin.command: id -nG, register: anew}\n"
                   "    - ansible.builtin.assert: {that: [\"'extra' not in before.stdout\", \"'extra' in "
                   "anew.stdout\"]}\n");
    expect_sandbox_well(lab);
}

Test(accelerate_mitogen, a_play_that_mitogen_would_carry_out_otherwise_is_ansibles)
{
    struct lab *lab = mitogen_project(NULL, "    attempts: 1\n");
    lab_write(lab, "ansible.cfg", "[defaults]\nstrategy = debug\n");
    AUTO_FREE char *play =
        xasprintf(PLAY "  tasks:\n    - ansible.builtin.shell: \"" WHO("%s/there") "\"\n      loop: [1, 2]\n",
                  lab_folder(lab));
    lab_play(lab, play);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "strategy debug", "ok", "-", 0);
    cr_expect_not(is_mitogens(lab, "there"));
}

/* ------------------------------------------------------------ a whole host */

/* It has other users, and boots. */
Test(accelerate_mitogen, another_user_and_a_reboot_are_the_same_as_without_it)
{
    struct lab *lab = lab_mitogen_sandbox();
    lab_write(lab, "phases/work.yml",
              "phases:\n  - {name: work, playbook: playbooks/work.yml, attempts: 1, reboots: true}\n"
              "  - {name: again, playbook: playbooks/again.yml, attempts: 1}\n");
    lab_write(lab, "playbooks/work.yml",
              PLAY "  tasks:\n    - ansible.builtin.user: {name: other, shell: /bin/sh}\n"
                   "    - ansible.builtin.command: id -un\n      become: true\n      become_method: su\n     "
                   " become_user: other\n"
                   "      register: who\n    - ansible.builtin.assert: {that: [who.stdout == 'other']}\n"
                   "    - ansible.builtin.command: sleep 50\n      become: true\n      become_method: su\n   "
                   "   become_user: other\n"
                   "      timeout: 2\n      ignore_errors: true\n"
                   "    - ansible.builtin.command: id -un\n      become: true\n      become_method: su\n     "
                   " become_user: other\n"
                   "      register: who\n    - ansible.builtin.assert: {that: [who.stdout == 'other']}\n"
                   "    - ansible.builtin.command: cat /proc/sys/kernel/random/boot_id /proc/1/stat\n      "
                   "register: before\n"
                   "    - ansible.builtin.reboot: {reboot_timeout: 90}\n"
                   "    - ansible.builtin.command: cat /proc/sys/kernel/random/boot_id /proc/1/stat\n      "
                   "register: after\n"
                   "    - ansible.builtin.assert: {that: [before.stdout != after.stdout]}\n");
    lab_write(lab, "playbooks/again.yml", PLAY "  tasks:\n    - ansible.builtin.ping:\n");
    expect_sandbox_well(lab);
}

/* Where the shared interpreter of root was not made without one. */
Test(accelerate_mitogen, another_user_whose_sudo_asks_for_a_password_is_the_same_as_without_it)
{
    (void)lab_mitogen();
    rig_needed();
    struct lab *lab = lab_new();
    lab_use_mitogen(lab);
    lab_environment(lab, "TRIPHASE_ACCELERATE", NULL);
    lab_environment(lab, "WORD", "of a test");
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  box:\n    provider: sandbox\n    recipe: work\n    user: worker\n"
              "    become_password: {env: WORD}\n");
    lab_write(lab, "phases/work.yml",
              "phases:\n  - {name: before, playbook: playbooks/before.yml, accelerate: none}\n"
              "  - {name: work, playbook: playbooks/work.yml, accelerate: mitogen}\n");
    lab_write(lab, "playbooks/before.yml",
              PLAY
              "  become: true\n  tasks:\n    - ansible.builtin.shell: echo 'worker:of a test' | chpasswd; "
              "echo 'worker ALL=(ALL) ALL' > /etc/sudoers.d/worker\n");
    lab_write(lab, "playbooks/work.yml",
              PLAY "  tasks:\n    - ansible.builtin.command: sudo -n true\n      register: asks\n      "
                   "failed_when: asks.rc == 0\n"
                   "    - ansible.builtin.command: id -un\n      become: true\n      register: who\n"
                   "    - ansible.builtin.assert: {that: [who.stdout == 'root']}\n");
    struct lab_result result = lab_run(lab, "create", NULL);
    cr_expect_eq(result.code, 0, "%s", result.err);
    AUTO_FREE char *used = lab_phase(lab, "accelerated");
    cr_expect_str_eq(used, "mitogen");
    struct lab_result destroyed = lab_run(lab, "destroy", "--yes", "box", NULL);
    cr_expect_eq(destroyed.code, 0, "%s", destroyed.err);
}
