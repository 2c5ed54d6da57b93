/* The interpreter of a phase, started while something else is waited for: it saves its start and changes
 * nothing else, with a real ansible-playbook. */
#include "../lab/phase.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* What the main process of the phase shows of itself: a lookup runs in its fork, which has its arguments, and
 * the shell's parent is that. */
#define SHOW(file, what)                                                                              \
    "    - ansible.builtin.debug:\n        msg: \"{{ lookup('ansible.builtin.pipe', 'cd ..; exec sh " \
    "show.sh " file " " what "') }}\"\n"

/* sh: waits until the second phase's interpreter waits at its gate, its pid in $spare; at once
 * where there is no cgroup to move it from. It is told by its arguments, and by its scope, which is
 * the run's and no step's. */
static const char wait_for_spare[] =
    "wait_for_spare() {\n"
    "  for i in $(seq 300); do\n"
    "    for found in $(grep -lasF \"$PWD/.triphase\" /proc/[0-9]*/cmdline); do\n"
    "      spare=${found#/proc/} spare=${spare%/cmdline}\n"
    "      grep -qasF -e --ahead \"$found\" && grep -qs '^0::.*/run-[^/]*$' /proc/$spare/cgroup &&\n"
    "        grep -qs wait_for_more_packets /proc/$spare/wchan && return 0\n"
    "    done\n"
    "    sleep 0.02\n"
    "  done\n"
    "  exit 99\n"
    "}\n"
    "if grep -q '^0::.*/run-' /proc/self/cgroup; then wait_for_spare; fi\n";

static struct lab *two_phases(const char *ansible, const char *first, const char *second)
{
    struct lab *lab = lab_two_phases(ansible);
    lab_write(lab, "show.sh", "%s", "tr '\\0' '\\n' < /proc/$PPID/$2 > $1\n");
    lab_write(lab, "playbooks/first.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n%s", first);
    lab_write(lab, "playbooks/second.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n%s",
              second);
    return lab;
}

/* A task that runs NAME.sh on this machine, in the project's folder. */
#define HERE(name)                                                                     \
    "    - ansible.builtin.command: {cmd: sh " name                                    \
    ".sh, chdir: '{{ playbook_dir }}/..'}\n      delegate_to: localhost\n      vars: " \
    "{ansible_connection: local}\n"

static bool was_ahead(struct lab *lab, const char *file)
{
    AUTO_FREE char *shown = lab_read(lab, file);
    return strstr(shown, "\n--ahead\n") != NULL;
}

static void expect_ok(struct lab *lab)
{
    struct lab_result result = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(result.code, 0, "exit %d\n%s", result.code, result.err);
}

static void check_both_ahead(const char *ansible)
{
    /* A phase of less than 0.3 s is over before the next one's interpreter is begun: this
     * one lasts until that waits. */
    struct lab *lab = two_phases(ansible, SHOW("first", "cmdline") SHOW("group", "cgroup") HERE("first"),
                                 SHOW("second", "cmdline"));
    lab_write(lab, "first.sh", "%s", wait_for_spare);
    expect_ok(lab);
    AUTO_FREE char *group = lab_read(lab, "group");
    if (strstr(group, "/run-")) { /* without cgroups no interpreter is started ahead */
        cr_expect(was_ahead(lab, "first"), "the first phase's interpreter was not ahead");
        cr_expect(was_ahead(lab, "second"), "the second phase's interpreter was not ahead");
        AUTO_FREE char *step = lab_sql(lab, "select printf('%02d', seq) from step where name = 'first'");
        AUTO_FREE char *ending = xasprintf("/%s", step);
        group[strcspn(group, "\n")] = '\0';
        AUTO_FREE char *whole = lab_read(lab, "group");
        cr_expect(strstr(whole, ending), "the phase ran outside its step's scope: %s", whole);
    }
}

Test(ahead,
     both_phases_of_a_run_find_their_interpreter_ready_and_run_in_their_own_scope_on_the_pinned_ansible)
{
    check_both_ahead(NULL);
}

Test(ahead,
     both_phases_of_a_run_find_their_interpreter_ready_and_run_in_their_own_scope_on_the_oldest_ansible)
{
    check_both_ahead(lab_old_ansible());
}

Test(ahead, an_interpreter_that_is_a_wrapper_with_variables_of_its_own_is_ready_too)
{
    struct lab *lab = two_phases(NULL, HERE("first"), SHOW("second", "cmdline") SHOW("kept", "environ"));
    AUTO_FREE char *ansible = file_join(lab_folder(lab), "bin/ansible-playbook");
    lab_hostile_ansible(lab, "exit 99"); /* for what stands beside it */
    lab_write(lab, "wrapped/python3", "#!/bin/sh\nWRAPPER=home exec python3 \"$@\"\n");
    lab_write(lab, "bin/ansible-playbook",
              "#!%s/wrapped/python3\nimport sys\nfrom ansible.cli.playbook import main\nsys.exit(main())\n",
              lab_folder(lab));
    lab_environment(lab, "TRIPHASE_ANSIBLE", ansible);
    lab_write(lab, "first.sh", "%s", wait_for_spare);
    expect_ok(lab);
    AUTO_FREE char *kept = lab_read(lab, "kept");
    cr_expect(was_ahead(lab, "second"));
    cr_expect(strstr(kept, "\nWRAPPER=home\n"), "%s", kept);
}

Test(ahead, a_playbook_and_variables_that_the_phase_before_has_written_are_the_ones_that_run)
{
    struct lab *lab = two_phases(
        NULL, HERE("first"),
        "    - ansible.builtin.copy: {content: 'OLD {{ made }}', dest: '{{ playbook_dir }}/../seen', mode: "
        "'0600'}\n      delegate_to: localhost\n      vars: {ansible_connection: local}\n");
    lab_write(lab, "first.sh", "%s%s", wait_for_spare,
              "echo 'made: by-first' > playbooks/group_vars/all.yml\n"
              "sed s/OLD/NEW/ playbooks/second.yml > new\nmv new playbooks/second.yml\n");
    lab_write(lab, "playbooks/group_vars/all.yml", "made: before\n");
    expect_ok(lab);
    AUTO_FREE char *seen = lab_read(lab, "seen");
    cr_expect_str_eq(seen, "NEW by-first");
}

Test(ahead, an_ansible_cfg_that_the_phase_before_has_changed_counts)
{
    struct lab *lab =
        two_phases(NULL, HERE("first"),
                   SHOW("second", "cmdline") "    - ansible.builtin.include_role: {name: which}\n");
    lab_write(lab, "first.sh", "%s%s", wait_for_spare,
              "sed s/old/new/ ansible.cfg > changed\nmv changed ansible.cfg\n");
    lab_write(lab, "ansible.cfg", "[defaults]\nroles_path = ./roles-old\n");
    lab_write(lab, "old.sh", "echo old > seen\n");
    lab_write(lab, "new.sh", "echo new > seen\n");
    lab_write(lab, "roles-old/which/tasks/main.yml", "%s", HERE("old"));
    lab_write(lab, "roles-new/which/tasks/main.yml", "%s", HERE("new"));
    expect_ok(lab);
    AUTO_FREE char *seen = lab_read(lab, "seen");
    cr_expect_str_eq(seen, "new\n");
    cr_expect_not(was_ahead(lab, "second"), "what was read at import is out of date");
}

Test(ahead, a_phase_whose_waiting_interpreter_was_killed_runs_all_the_same)
{
    struct lab *lab = two_phases(NULL, HERE("first"), SHOW("second", "cmdline"));
    lab_write(lab, "first.sh", "%s%s", wait_for_spare, "test -z \"$spare\" || kill -9 $spare\n");
    expect_ok(lab);
    cr_expect_not(was_ahead(lab, "second"));
}

static void check_nothing_left(const char *first, int code)
{
    struct lab *lab = two_phases(NULL, HERE("first"), SHOW("second", "cmdline"));
    lab_write(lab, "first.sh", "%s%s", wait_for_spare, first);
    AUTO_FREE char *temporary = file_join(lab_folder(lab), "ansible-tmp");
    lab_environment(lab, "ANSIBLE_LOCAL_TEMP", temporary);
    struct lab_result result = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(result.code, code, "exit %d\n%s", result.code, result.err);
    lab_expect_nothing_left(lab, "after the run");
    AUTO_WORDS names = WORDS_INIT;
    cr_assert_eq(file_list(temporary, &names, NULL), 0);
    cr_expect_eq(names.count, 0, "%zu temporary folders of Ansible are left", names.count);
}

Test(ahead, a_run_that_fails_in_its_first_phase_leaves_no_waiting_interpreter_and_nothing_of_it)
{
    check_nothing_left("exit 1\n", 2);
}

Test(ahead, a_run_that_goes_well_leaves_nothing_of_its_interpreters)
{
    check_nothing_left("true\n", 0);
}
