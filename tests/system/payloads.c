/* What Ansible makes of a module is made once for all phases and runs, and never of something else than the
 * phase sees (launcher/triphase_payloads.py), with a real ansible-playbook. */
#include "../lab/phase.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/words.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(payloads, .timeout = 240);

static void expect_ok(struct lab *lab, const char *command)
{
    struct lab_result result = lab_run(lab, command, "host", NULL);
    cr_assert_eq(result.code, 0, "exit %d\n%s", result.code, result.err);
}

static size_t made(struct lab *lab)
{
    AUTO_FREE char *folder = file_join(lab_folder(lab), ".triphase/payloads");
    AUTO_WORDS names = WORDS_INIT;
    cr_assert_eq(file_list(folder, &names, NULL), 0);
    return names.count;
}

/* A phase that uses modules and tells where their payloads lie. */
#define STAT "    - ansible.builtin.stat: {path: /etc/passwd}\n"
#define SHOW(file)                                                                           \
    "    - ansible.builtin.debug:\n        msg: \"{{ lookup('ansible.builtin.pipe', 'ls -l " \
    "../ansible-tmp/*/"                                                                      \
    "ansiballz_cache > ../" file "') }}\"\n"
#define PLAY "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"

static void check_made_once(const char *ansible)
{
    struct lab *lab = lab_two_phases(ansible);
    AUTO_FREE char *temporary = file_join(lab_folder(lab), "ansible-tmp");
    lab_environment(lab, "ANSIBLE_LOCAL_TEMP", temporary);
    lab_write(lab, "playbooks/first.yml", "%s", PLAY STAT SHOW("first"));
    lab_write(lab, "playbooks/second.yml", "%s", PLAY STAT SHOW("second"));

    expect_ok(lab, "create");
    AUTO_FREE char *by_first = lab_read(lab, "first"), *by_second = lab_read(lab, "second");
    expect_ok(lab, "run");
    AUTO_FREE char *of_next_run = lab_read(lab, "first");

    cr_expect_null(strstr(by_first, " -> "), "%s", by_first);
    cr_expect_not_null(strstr(by_second, "/payloads/"), "%s", by_second);
    cr_expect_not_null(strstr(of_next_run, "/payloads/"), "%s", of_next_run);
    cr_expect_eq(made(lab), 1);
}

Test(payloads, are_made_once_for_all_phases_and_runs)
{
    check_made_once(NULL);
}

Test(payloads, are_made_once_for_all_phases_and_runs_on_the_oldest_ansible)
{
    check_made_once(lab_old_ansible());
}

/* A module of a role's own that says which one it is, with a word of the role's module_utils. */
static void write_role(struct lab *lab, const char *role, const char *word, const char *shared)
{
    AUTO_FREE char *module = xasprintf("playbooks/roles/%s/library/probe.py", role),
                   *utils = xasprintf("playbooks/roles/%s/module_utils/probed.py", role),
                   *tasks = xasprintf("playbooks/roles/%s/tasks/main.yml", role);
    lab_write(lab, module,
              "from ansible.module_utils.basic import AnsibleModule\n"
              "from ansible.module_utils.probed import WORD\n"
              "AnsibleModule(argument_spec={}).exit_json(changed=False, said='%s ' + WORD)\n",
              word);
    lab_write(lab, utils, "WORD = '%s'\n", shared);
    lab_write(
        lab, tasks,
        "- probe:\n  register: probed\n"
        "- ansible.builtin.debug:\n    msg: \"{{ lookup('ansible.builtin.pipe', 'printf %%s ' ~ (probed.said "
        "| quote) ~ ' > ../%s') }}\"\n",
        role);
}

static void expect_said(struct lab *lab, const char *one, const char *other)
{
    AUTO_FREE char *said = lab_read(lab, "one"), *said_by_other = lab_read(lab, "other");
    cr_expect(eq(str, said, (char *)one));
    cr_expect(eq(str, said_by_other, (char *)other));
}

static void check_of_what_the_phase_sees(const char *ansible)
{
    struct lab *lab = lab_two_phases(ansible);
    lab_write(lab, "playbooks/first.yml", "- hosts: recipe_work\n  gather_facts: false\n  roles: [one]\n");
    lab_write(lab, "playbooks/second.yml", "- hosts: recipe_work\n  gather_facts: false\n  roles: [other]\n");
    write_role(lab, "one", "one", "shared");
    write_role(lab, "other", "one", "different");

    expect_ok(lab, "create");
    expect_said(lab, "one shared", "one different");
    size_t first = made(lab);
    expect_ok(lab, "run");
    expect_said(lab, "one shared", "one different");
    cr_expect_eq(made(lab), first, "the second run found what the first had made");

    write_role(lab, "one", "changed", "shared");
    write_role(lab, "other", "one", "changed too");
    expect_ok(lab, "run");
    expect_said(lab, "changed shared", "one changed too");
}

Test(payloads, are_those_of_the_roles_own_modules_and_module_utils_whatever_their_names_and_when_they_change)
{
    check_of_what_the_phase_sees(NULL);
}

Test(payloads, are_those_of_the_roles_own_modules_and_module_utils_whatever_their_names_on_the_oldest_ansible)
{
    check_of_what_the_phase_sees(lab_old_ansible());
}

Test(payloads, a_role_whose_module_utils_stands_in_for_ansibles_own_gets_its_own_and_nobody_else_does)
{
    struct lab *lab = lab_two_phases(NULL);
    lab_write(lab, "playbooks/first.yml", "%s", PLAY STAT);
    lab_write(lab, "playbooks/second.yml",
              "- hosts: recipe_work\n  gather_facts: false\n  roles: [one]\n  post_tasks:\n" STAT);
    write_role(lab, "one", "one", "shared");
    lab_write(lab, "playbooks/roles/one/module_utils/facts.py", "WORD = 'in the place of Ansibles'\n");

    expect_ok(lab, "create");

    AUTO_FREE char *said = lab_read(lab, "one");
    cr_expect(eq(str, said, "one shared"));
    cr_expect_eq(made(lab), 1, "the first phase's alone");
}
