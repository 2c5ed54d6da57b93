/* One run per target at a time; other targets are free; what several targets' ends amount to. */
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Each target's behaviour is a file below `do`: sh that is read when its phase begins. */
#define AS_TOLD                                                                              \
    "for word in \"$@\"; do case $word in *inventory.*) inventory=$word;; esac; done\n"      \
    "for name in one two three; do grep -q \"^ *$name:\" $inventory && target=$name; done\n" \
    ". $FOLDER/do/$target\n"

/* Targets one, two and three, all the lab's sshd. */
static struct lab *three_targets(void)
{
    struct lab *lab = damage_lab("    attempts: 1\n", AS_TOLD);
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    char *host = strstr(project, "  host:\n");
    AUTO_FREE char *keys = xstrdup(host + strlen("  host:\n"));
    *host = '\0';
    lab_write(lab, "triphase.yml", "%s  one:\n%s  two:\n%s  three:\n%s", project, keys, keys, keys);
    static const char *const names[] = {"do/one", "do/two", "do/three"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        lab_write(lab, names[i], "play; task t1; finish\n");
    return lab;
}

#define WAITS \
    "play; touch $FOLDER/there.%1$s; until [ -e $FOLDER/go ]; do sleep 0.02; done; task t1; finish\n"

Test(lock, a_second_command_on_a_target_is_refused_and_another_target_is_free)
{
    struct lab *lab = three_targets();
    lab_write(lab, "do/one", WAITS, "one");
    pid_t first = lab_start(lab, "first", "create", "one", NULL);
    cr_assert(lab_until_file(lab, 60, "there.one"));
    AUTO_FREE char *run = damage_run(lab);
    AUTO_FREE char *process = xasprintf("process %d", (int)damage_worker(lab));
    static const char *const words[][4] = {
        {"create", "one"}, {"run", "one", "work"}, {"destroy", "one", "--yes"}, {"forget", "one", "--yes"}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        struct lab_result refused = lab_run(lab, words[i][0], words[i][1], words[i][2], words[i][3], NULL);
        cr_assert(eq(int, refused.code, 75), "%s: %s", words[i][0], refused.err);
        cr_assert(strstr(refused.err, id_tail(run, 8)) && !strstr(refused.err, run) &&
                      strstr(refused.err, process),
                  "%s: %s", words[i][0], refused.err);
    }
    struct lab_result other = lab_run(lab, "create", "two", NULL);
    cr_assert(eq(int, other.code, 0), "%s", other.err);
    struct lab_result status = lab_run(lab, "status", "one", NULL);
    cr_assert(strstr(status.out, "running") != NULL, "%s", status.out);
    lab_write(lab, "go", "yes\n");
    cr_assert(eq(int, lab_wait(lab, first, 20), 0));
    struct lab_result after = lab_run(lab, "run", "one", NULL);
    cr_assert(eq(int, after.code, 0), "%s", after.err);
}

Test(lock, of_many_commands_at_once_exactly_one_gets_the_target)
{
    struct lab *lab = three_targets();
    lab_write(lab, "do/one", WAITS, "one");
    enum { MANY = 4 };
    pid_t commands[MANY];
    for (int i = 0; i < MANY; i++) {
        AUTO_FREE char *name = xasprintf("many%d", i);
        commands[i] = lab_start(lab, name, "create", "one", NULL);
    }
    cr_assert(lab_until_file(lab, 60, "there.one"));
    /* The losers end first: the winner waits for the word. */
    int busy = 0, ok = 0;
    bool done[MANY] = {false};
    for (int left = 3000; left && busy < MANY - 1; left--) {
        for (int i = 0; i < MANY; i++)
            if (!done[i] && !damage_alive(commands[i])) {
                done[i] = true;
                int code = lab_wait(lab, commands[i], 1);
                cr_assert(eq(int, code, 75));
                busy++;
            }
        usleep(10000);
    }
    cr_assert(eq(int, busy, MANY - 1));
    lab_write(lab, "go", "yes\n");
    for (int i = 0; i < MANY; i++)
        if (!done[i])
            ok += lab_wait(lab, commands[i], 20) == 0;
    cr_assert(eq(int, ok, 1));
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run"), 1));
}

Test(lock, several_targets_run_side_by_side_as_many_as_jobs_says)
{
    struct lab *lab = three_targets();
    lab_write(lab, "do/one", WAITS, "one");
    lab_write(lab, "do/two", WAITS, "two");
    lab_write(lab, "do/three", WAITS, "three");
    pid_t command = lab_start(lab, "create", "create", "--jobs", "2", NULL);
    cr_assert(lab_until_file(lab, 60, "there.one") && lab_until_file(lab, 60, "there.two"));
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE outcome IS NULL"), 2));
    lab_write(lab, "go", "yes\n");
    cr_assert(eq(int, lab_wait(lab, command, 60), 0));
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE outcome = 'ok'"), 3));
    AUTO_FREE char *said = lab_read(lab, "create.err");
    cr_assert(strstr(said, "one") && strstr(said, "two") && strstr(said, "three"), "%s", said);
}

static int ends_of(struct lab *lab, const char *one, const char *two, const char *three)
{
    lab_write(lab, "do/one", "play; %s\n", one);
    lab_write(lab, "do/two", "play; %s\n", two);
    lab_write(lab, "do/three", "play; %s\n", three);
    struct lab_result result = lab_run(lab, "create", "--jobs", "3", NULL);
    return result.code;
}

#define GOOD  "task t1; finish"
#define FAILS "task t1; exit 2"
#define UNREACHABLE                                                                                      \
    "say '\"kind\":\"unreachable\",\"host\":\"'$target'\",\"play\":\"p\",\"task\":\"t\",\"uuid\":\"t\"," \
    "\"ignored\":false,\"cause_text\":\"x\"'; finish; exit 4"
#define TOO_LONG "sleep 1000"

Test(lock, of_several_ends_the_gravest_is_the_exit_code)
{
    struct lab *lab = three_targets();
    lab_write(
        lab, "phases/work.yml",
        "phases:\n  - name: work\n    playbook: playbooks/work.yml\n    attempts: 1\n    deadline: 3s\n");
    cr_expect(eq(int, ends_of(lab, GOOD, FAILS, GOOD), 2));
    cr_expect(eq(int, ends_of(lab, FAILS, UNREACHABLE, GOOD), 4));
    cr_expect(eq(int, ends_of(lab, UNREACHABLE, TOO_LONG, FAILS), 4));
    cr_expect(eq(int, ends_of(lab, TOO_LONG, FAILS, GOOD), 5));
}

Test(lock, a_busy_target_among_several_counts_and_the_others_are_made)
{
    struct lab *lab = three_targets();
    lab_write(lab, "do/two", WAITS, "two");
    pid_t first = lab_start(lab, "first", "create", "two", NULL);
    cr_assert(lab_until_file(lab, 60, "there.two"));
    lab_write(lab, "do/one", "play; %s\n", FAILS);
    struct lab_result several = lab_run(lab, "create", NULL);
    cr_assert(eq(int, several.code, 75), "%s", several.err);
    cr_assert(eq(
        i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE target = 'three' AND outcome = 'ok'"), 1));
    lab_write(lab, "go", "yes\n");
    cr_assert(eq(int, lab_wait(lab, first, 20), 0));
}

Test(lock, a_worker_that_lives_without_its_lock_is_not_taken_for_dead)
{
    struct lab *lab = three_targets();
    lab_write(lab, "do/one", WAITS, "one");
    pid_t first = lab_start(lab, "first", "create", "one", NULL);
    cr_assert(lab_until_file(lab, 60, "there.one"));
    pid_t worker = damage_worker(lab);
    AUTO_FREE char *path = xasprintf("%s/.triphase/locks/one", lab_folder(lab));
    cr_assert(unlink(path) == 0);
    struct lab_result second = lab_run(lab, "create", "one", NULL);
    cr_assert(eq(int, second.code, 75), "%s", second.err);
    cr_assert(damage_alive(worker));
    lab_write(lab, "go", "yes\n");
    cr_assert(eq(int, lab_wait(lab, first, 20), 0));
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE outcome = 'ok'"), 1));
}

Test(lock, reading_commands_ask_nobody_and_hold_nobody_up)
{
    struct lab *lab = three_targets();
    lab_write(lab, "do/one", WAITS, "one");
    pid_t first = lab_start(lab, "first", "create", "one", NULL);
    cr_assert(lab_until_file(lab, 60, "there.one"));
    static const char *const words[] = {"status", "report", "events"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        struct lab_result looked = lab_run(lab, words[i], NULL);
        cr_expect(eq(int, looked.code, 0), "%s: %s", words[i], looked.err);
    }
    lab_write(lab, "go", "yes\n");
    cr_assert(eq(int, lab_wait(lab, first, 20), 0));
}
