/* Files of a phase that cannot be looked at in time (a large role, a share that hangs; here a FIFO in a
 * playbook's place): no watchdog waits for them, and no run is lost. */
#include "base/memory.h"
#include "base/text.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PHASE(name) \
    "  - name: " name "\n    playbook: playbooks/" name ".yml\n    attempts: 1\n    deadline: 4s\n"
/* From now on who reads the tasks of that phase waits for ever. */
#define STICK(name) "rm $FOLDER/playbooks/" name "-part.yml; mkfifo $FOLDER/playbooks/" name "-part.yml\n"
#define GOOD        "play; task t1; finish\n"
#define STICKS      "play; task t1; " STICK("one") "finish\n"

TestSuite(slow_look, .timeout = 120);

/* Phases one, two and three, each with a file of tasks; they do as told. */
static struct lab *lab_with(const char *keys, const char *one, const char *two, const char *three)
{
    struct lab *lab = damage_lab("", "for word in \"$@\"; do case $word in *playbooks/*.yml) "
                                     "phase=${word##*/}; phase=${phase%.yml};; esac; done\n"
                                     "echo $phase >>$FOLDER/ran\n. $FOLDER/do/$phase\n");
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    const char *const phases[] = {"one", one, "two", two, "three", three};
    lab_write(lab, "triphase.yml", "%s%s", project, keys);
    lab_write(lab, "phases/work.yml", "phases:\n" PHASE("one") PHASE("two") PHASE("three"));
    for (size_t i = 0; i < COUNT_OF(phases); i += 2) {
        AUTO_FREE char *playbook = xasprintf("playbooks/%s.yml", phases[i]),
                       *part = xasprintf("playbooks/%s-part.yml", phases[i]),
                       *told = xasprintf("do/%s", phases[i]);
        lab_write(lab, playbook,
                  "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
                  "    - ansible.builtin.import_tasks: %s-part.yml\n",
                  phases[i]);
        lab_write(lab, part, "- ansible.builtin.ping:\n");
        lab_write(lab, told, "%s", phases[i + 1]);
    }
    return lab;
}

static const char not_known[] =
    "SELECT count(*) FROM event WHERE kind = 'warning' AND detail LIKE '%not-recorded%one%'";

Test(slow_look, the_deadline_of_the_run_is_kept_while_files_are_looked_at)
{
    struct lab *lab = lab_with("    deadline: 8s\n", STICKS, GOOD, GOOD);
    struct lab_result end = lab_run(lab, "create", "host", NULL);
    cr_expect(eq(int, end.code, 5), "%s", end.err);
    cr_expect(
        eq(i64, lab_sql_number(lab, "SELECT duration_ns BETWEEN 8000000000 AND 12000000000 FROM run"), 1));
    cr_expect(
        eq(i64, lab_sql_number(lab, "SELECT count(*) FROM step WHERE name = 'one' AND outcome = 'ok'"), 1));
    cr_expect(eq(i64, lab_sql_number(lab, not_known), 1), "nobody says that the files are not known");
    AUTO_FREE char *run = damage_run(lab);
    cr_expect(not(damage_scope_exists(run)), "the look was left");
}

Test(slow_look, a_cancel_ends_it)
{
    struct lab *lab = lab_with("", STICKS, GOOD, GOOD);
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_sql(lab, 30, "SELECT count(*) FROM step WHERE name = 'one' AND outcome = 'ok'"));
    kill(command, SIGTERM);
    cr_expect(eq(int, lab_wait(lab, command, 8), 130));
    AUTO_FREE char *ran = lab_read(lab, "ran");
    cr_expect(eq(str, ran, "one\n"));
}

static bool there(void *context)
{
    return lab_child(context, "triphase-aside") > 0;
}

Test(slow_look, a_phase_begins_and_its_own_deadline_holds_meanwhile)
{
    struct lab *lab = lab_with("", "play; task t1; sleep 60\n", GOOD, GOOD);
    const char *part = lab_keep(xasprintf("%s/playbooks/one-part.yml", lab_folder(lab)));
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_sql(lab, 30, "SELECT count(*) FROM step WHERE name = 'transport'"));
    cr_assert(unlink(part) == 0 && mkfifo(part, 0600) == 0);
    cr_assert(lab_until(10, there, lab), "%s", lab_read(lab, "create.err"));
    cr_expect(eq(int, lab_wait(lab, command, 15), 5));
    cr_expect(eq(i64,
                 lab_sql_number(lab, "SELECT duration_ns BETWEEN 4000000000 AND 8000000000 FROM step"
                                     " WHERE name = 'one' AND outcome = 'deadline'"),
                 1));
}

Test(slow_look, one_that_is_killed_loses_no_run_and_its_phase_runs_again)
{
    struct lab *lab = lab_with("", STICKS, GOOD, "play; task t1; exit 2\n");
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_sql(lab, 30, "SELECT count(*) FROM step WHERE name = 'one' AND outcome = 'ok'"));
    cr_assert(lab_until(5, there, lab));
    cr_assert(eq(int, unlink(lab_keep(xasprintf("%s/playbooks/one-part.yml", lab_folder(lab)))), 0));
    lab_write(lab, "playbooks/one-part.yml", "- ansible.builtin.ping:\n");
    kill(lab_child(lab, "triphase-aside"), SIGKILL);
    cr_expect(eq(int, lab_wait(lab, command, 20), 2));
    cr_expect(eq(i64, lab_sql_number(lab, not_known), 1), "nobody says that the files are not known");
    lab_write(lab, "do/one", GOOD);
    lab_write(lab, "do/three", GOOD);
    struct lab_result again = lab_run(lab, "resume", "host", NULL);
    cr_expect(eq(int, again.code, 0), "%s", again.err);
    cr_expect(strstr(again.err, "one runs again: it ended ok, but what it used was not recorded") != NULL,
              "%s", again.err);
    cr_expect(strstr(again.err, "two is skipped: it is completed") != NULL, "%s", again.err);
    AUTO_FREE char *ran = lab_read(lab, "ran");
    cr_expect(eq(str, ran, "one\ntwo\nthree\none\nthree\n"));
}
