/* What makes a phase's Ansible faster: what each word of the key does, and where it is told. */
#include "../lab/phase.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(accelerate, .timeout = 120);

/* The first phase shows the words of its own process, and of an interpreter that waits for the second. */
static struct lab *two_phases(const char *first_keys, bool plain)
{
    struct lab *lab = lab_new();
    if (!plain) /* a program of another kind */
        lab_hostile_ansible(lab, "exec \"$REAL\" \"$@\"\n");
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
    struct lab *lab = two_phases("", true);
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
    struct lab *lab = two_phases(", accelerate: none", true);
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

/* The first column of what is in each step's row of a phase, "warm/- none/-". */
static char *used(struct lab *lab)
{
    return lab_sql(lab, "SELECT group_concat(accelerated || '/' || coalesce(accelerated_why, '-'), ' ') FROM"
                        " (SELECT * FROM step WHERE kind = 'phase' AND run = (SELECT max(number) FROM run)"
                        " ORDER BY seq)");
}

Test(accelerate, what_was_used_is_in_each_steps_row_and_less_than_was_asked_for_is_an_event)
{
    struct lab *lab = two_phases(", accelerate: none", true);
    struct lab_result result = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    AUTO_FREE char *as_asked = used(lab);
    cr_expect_str_eq(as_asked, "none/- warm/-");
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM step WHERE kind = 'stage' AND accelerated IS NOT "
                                     "NULL"),
                 0, "a stage has none");
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM event WHERE kind = 'accelerated'"), 0);
    lab = two_phases(", accelerate: none", false);
    result = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
    AUTO_FREE char *less = used(lab);
    cr_expect(text_starts(less, "none/- none/") &&
                  text_ends(less, " is not the plain script that pip and Debian install"),
              "%s", less);
    result = lab_run(lab, "events", "--json", NULL);
    const char *event = strstr(result.out, "\"kind\":\"accelerated\"");
    cr_assert_not_null(event, "%s", result.out);
    cr_expect(strstr(event, "\"asked\":\"warm\",\"used\":\"none\",\"why\":\"/"), "%s", event);
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM event WHERE kind = 'accelerated'"), 1);
}
