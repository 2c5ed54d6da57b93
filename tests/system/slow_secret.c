/* A secret whose command takes its time: no watchdog waits for it, and no phase's time has it. */
#include "base/memory.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <string.h>

/* A project whose secret `word` is what `command` (sh) says; its phase says whether it got it. */
static struct lab *lab_with(const char *command, const char *keys)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "",
                       "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
                       "    - ansible.builtin.assert: {that: word == 'said-late'}\n");
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    lab_write(lab, "word.sh", "%s\n", command);
    lab_write(lab, "triphase.yml", "%s    secrets: {word: {command: [sh, %s/word.sh]}}\n%s", project,
              lab_folder(lab), keys);
    return lab;
}

static bool no_command(void *context)
{
    AUTO_FREE char *script = xasprintf("%s/word.sh", lab_folder(context));
    return lab_processes(script) == 0;
}

Test(slow_secret, the_deadline_of_the_run_is_kept_while_a_command_is_waited_for)
{
    struct lab *lab = lab_with("touch asked; sleep 25; echo said-late", "    deadline: 8s\n");
    struct lab_result end = lab_run(lab, "create", "host", NULL);
    cr_expect(eq(int, end.code, 5), "%s", end.err);
    cr_expect(lab_exists(lab, "asked"), "%s", end.err);
    cr_expect(lt(dbl, end.seconds, 15.0), "%f s", end.seconds);
    cr_expect(
        eq(i64, lab_sql_number(lab, "SELECT duration_ns BETWEEN 8000000000 AND 12000000000 FROM run"), 1));
    cr_expect(lab_until(2, no_command, lab), "the command was left");
}

Test(slow_secret, a_cancel_ends_the_wait_at_once)
{
    struct lab *lab = lab_with("touch asked; sleep 25; echo said-late", "");
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 30, "asked"));
    kill(command, SIGTERM);
    cr_expect(eq(int, lab_wait(lab, command, 8), 130));
    cr_expect(lab_until(2, no_command, lab), "the command was left");
}

Test(slow_secret, it_arrives_and_its_time_is_no_phases)
{
    struct lab *lab = lab_with("sleep 6; echo said-late", "");
    struct lab_result end = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, end.code, 0), "%s", end.err);
    cr_expect(eq(i64,
                 lab_sql_number(lab,
                                "SELECT step.started_ns - run.started_ns > 5900000000 FROM step JOIN run ON"
                                " run.number = step.run WHERE step.kind = 'phase'"),
                 1),
              "the phase began before its secret was there");
}

Test(slow_secret, one_that_fails_is_told_by_name)
{
    struct lab *lab = lab_with("echo no key for it >&2; exit 3", "");
    struct lab_result end = lab_run(lab, "create", "host", NULL);
    cr_expect(eq(int, end.code, 78), "%s", end.err);
    cr_expect(strstr(end.err, "secret word: secret from the command sh: it exited with 3: no key for it") !=
                  NULL,
              "%s", end.err);
}
