/* What makes a phase's Ansible faster: what each word of the key does, and where it is told. */
#include "../lab/phase.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(accelerate, .timeout = 120);

/* The first phase shows the words of its own process, and of an interpreter that waits for the second. */
static struct lab *two_phases(const char *first_keys)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    lab_write(lab, "phases/work.yml",
              "phases:\n  - {name: work, playbook: playbooks/work.yml%s}\n  - {name: second, playbook: "
              "playbooks/second.yml}\n",
              first_keys);
    lab_write(lab, "playbooks/second.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    lab_write(lab, "playbooks/work.yml", "%s",
              "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug:\n"
              "        msg: \"{{ lookup('ansible.builtin.pipe', 'cd ..; exec sh show.sh') }}\"\n");
    lab_write(lab, "show.sh", "%s",
              "tr '\\0' '\\n' < /proc/$PPID/cmdline > words\n"
              "grep -lasF \"$PWD/.triphase\" /proc/[0-9]*/cmdline | xargs -r grep -lasF -e --ahead > ahead\n"
              "true\n");
    return lab;
}

Test(accelerate, none_is_ansible_playbook_as_it_is_with_nothing_of_ours_before_it)
{
    struct lab *lab = two_phases("");
    struct lab_result result = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    AUTO_FREE char *warm = lab_read(lab, "words");
    cr_expect(strstr(warm, "/triphase_launch.py\n"), "that of a warm one: %s", warm);
    lab_environment(lab, "TRIPHASE_ACCELERATE", "none");
    result = lab_run(lab, "run", "host", NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    AUTO_FREE char *words = lab_read(lab, "words"), *ahead = lab_read(lab, "ahead");
    cr_expect_not(strstr(words, "triphase_launch"), "%s", words);
    cr_expect(strstr(words, "/ansible-playbook\n"), "%s", words);
    cr_expect_str_eq(ahead, "", "an interpreter was started ahead");
}

Test(accelerate, of_one_phase_none_leaves_the_others_as_they_are)
{
    struct lab *lab = two_phases(", accelerate: none");
    struct lab_result result = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    AUTO_FREE char *words = lab_read(lab, "words");
    cr_expect_not(strstr(words, "triphase_launch"), "%s", words);
    lab_environment(lab, "TRIPHASE_PHASES_WORK_WORK_ACCELERATE", "warm");
    result = lab_run(lab, "run", "host", NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    AUTO_FREE char *warm = lab_read(lab, "words");
    cr_expect(strstr(warm, "/triphase_launch.py\n"), "%s", warm);
}
