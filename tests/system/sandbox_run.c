/* Runs on real sandboxes: nothing is made twice, nothing is left, whatever was killed on the way. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"
#include "lab/damage.h"
#include "lab/sandbox.h"
#include "process/marked.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BOUND (60 * NS_PER_S)

#define PLAY                                                                                                \
    "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"                                               \
    "    - ansible.builtin.copy:\n        content: made by a run\n        dest: /root/made\n        mode: " \
    "'0600'\n"

/* A project whose target `box` is a sandbox; the recipe's one phase is real Ansible over its ssh. */
static struct lab *sandbox_lab(const char *target_keys, const char *playbook)
{
    rig_needed();
    struct lab *lab = lab_new();
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  box:\n    provider: sandbox\n    recipe: work\n%s", target_keys);
    lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: playbooks/work.yml\n");
    lab_write(lab, "playbooks/work.yml", "%s", playbook);
    return lab;
}

static char *machine_id(struct lab *lab)
{
    return lab_sql(lab, "SELECT id FROM machine ORDER BY id DESC LIMIT 1");
}

/* Looks by other means than the program's own for anything of the sandbox on this
 * machine; "" or what was found. */
static char *left_of(struct lab *lab, const char *machine)
{
    AUTO_FREE char *name = xasprintf("tp%s", machine + strlen(machine) - 10);
    AUTO_FREE char *script = xasprintf("grep -F %s /proc/self/mountinfo\n"
                                       "ls -d /run/netns/%s /sys/class/net/%s /var/lib/triphase/%s "
                                       "/run/systemd/nspawn/propagate/%s 2>/dev/null\n"
                                       "nft list ruleset | grep -F %s\n"
                                       "find /sys/fs/cgroup -maxdepth 4 -type d -name 'machine-%s'\n"
                                       "for e in /proc/[0-9]*/environ; do tr '\\0' '\\n' <$e | grep -qx "
                                       "'TRIPHASE_MACHINE=%s' && cat ${e%%environ}comm; done 2>/dev/null\n"
                                       "ls %s/.triphase/machines\n",
                                       name, name, name, name, name, name, machine, machine, lab_folder(lab));
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct program program = {.argv = argv, .bound_ns = BOUND};
    struct child_end end;
    struct text out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_run(&program, &out, NULL, &end, &err) == 0, "%s", error_text(&err));
    return text_take(&out);
}

static void hold_nothing_left(struct lab *lab, const char *machine)
{
    AUTO_FREE char *left = left_of(lab, machine);
    cr_assert(eq(str, left, ""), "left of %s", machine);
}

static void destroy(struct lab *lab)
{
    struct lab_result gone = lab_run(lab, "destroy", "box", "--yes", NULL);
    cr_assert(eq(int, gone.code, 0), "%s", gone.err);
}

/* The nspawn process of the machine; 0 when there is none. */
static pid_t guest_of(const char *machine)
{
    AUTO_FREE char *marker = xasprintf("TRIPHASE_MACHINE=%s", machine);
    AUTO_FREE pid_t *pids = NULL;
    int count = marked_find(marker, &pids, NULL);
    for (int i = 0; i < count; i++) {
        AUTO_FREE char *path = xasprintf("/proc/%d/comm", (int)pids[i]);
        AUTO_TEXT name = TEXT_INIT;
        if (file_read(path, 64, &name, NULL) == 0 && text_is(text_string(&name), "systemd-nspawn\n"))
            return pids[i];
    }
    return 0;
}

static int64_t is_fresh(struct lab *lab)
{
    return lab_sql_number(lab, "SELECT fresh FROM run ORDER BY started_ns DESC LIMIT 1");
}

Test(sandbox_run, create_twice_makes_nothing_twice_and_destroy_leaves_nothing)
{
    struct lab *lab = sandbox_lab("", PLAY);
    struct lab_result first = lab_run(lab, "create", NULL);
    cr_assert(eq(int, first.code, 0), "%s", first.err);
    AUTO_FREE char *machine = machine_id(lab);
    pid_t guest = guest_of(machine);
    cr_assert(eq(i64, is_fresh(lab), 1));
    cr_assert(gt(int, guest, 0));

    struct lab_result second = lab_run(lab, "create", "box", NULL);
    cr_assert(eq(int, second.code, 0), "%s", second.err);
    cr_assert(eq(i64, is_fresh(lab), 0));
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM machine"), 1));
    cr_assert(eq(int, guest_of(machine), guest), "the guest was started again");
    cr_assert(eq(i64,
                 lab_sql_number(lab, "SELECT step.changed FROM step JOIN run ON run.number = step.run WHERE "
                                     "step.name = 'work' ORDER BY "
                                     "run.started_ns DESC LIMIT 1"),
                 0));
    struct lab_result phases = lab_run(lab, "run", "box", "--check-idempotent", NULL);
    cr_assert(eq(int, phases.code, 0), "%s", phases.err);
    struct lab_result status = lab_run(lab, "status", NULL);
    cr_assert(strstr(status.out, "idle") != NULL, "%s", status.out);
    struct lab_result unasked = lab_run(lab, "destroy", "box", NULL);
    cr_assert(eq(int, unasked.code, 64), "%s", unasked.err);
    cr_assert(damage_alive(guest));
    struct lab_result kept = lab_run(lab, "forget", "box", "--yes", NULL);
    cr_assert(eq(int, kept.code, 3), "%s", kept.err);

    destroy(lab);
    hold_nothing_left(lab, machine);
    struct lab_result again = lab_run(lab, "destroy", "--all", "--yes", NULL);
    cr_assert(eq(int, again.code, 0), "%s", again.err);
    struct lab_result made = lab_run(lab, "run", "box", NULL);
    cr_assert(eq(int, made.code, 64), "%s", made.err);
    cr_assert(strstr(made.err, "triphase create box") != NULL, "%s", made.err);
}

Test(sandbox_run, destroy_needs_no_project_files_and_protected_is_refused)
{
    struct lab *lab = sandbox_lab("    protected: true\n", PLAY);
    struct lab_result first = lab_run(lab, "create", NULL);
    cr_assert(eq(int, first.code, 0), "%s", first.err);
    AUTO_FREE char *machine = machine_id(lab);
    static const char *const words[][4] = {{"destroy", "box", "--yes"}, {"destroy", "--all", "--yes"}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        struct lab_result refused = lab_run(lab, words[i][0], words[i][1], words[i][2], NULL);
        cr_assert(eq(int, refused.code, 78), "%s", refused.err);
        cr_assert(strstr(refused.err, "protected") != NULL, "%s", refused.err);
    }
    cr_assert(gt(int, guest_of(machine), 0));
    lab_write(lab, "triphase.yml", "project: lab\ntargets: [\n");
    struct lab_result status = lab_run(lab, "status", NULL);
    cr_assert(eq(int, status.code, 0), "%s", status.err);
    cr_assert(strstr(status.out, "box") && strstr(status.out, "idle"), "%s", status.out);
    destroy(lab);
    hold_nothing_left(lab, machine);
}

struct begin {
    struct lab *lab;
    const char *begun;
    pid_t command;
};

static bool has_begun_or_ended(void *context)
{
    const struct begin *begin = context;
    return lab_sql_number(begin->lab, begin->begun) != 0 || !damage_alive(begin->command);
}

/* Kills the worker some milliseconds after the stage began, whatever it does then. False when the run
 * had ended by itself before. */
static bool kill_in_stage(struct lab *lab, const char *stage, int ms, const char *word, const char *yes)
{
    int64_t runs = lab_sql_number(lab, "SELECT count(*) FROM run");
    pid_t command = lab_start(lab, "command", word, "box", yes, NULL);
    AUTO_FREE char *begun =
        xasprintf("SELECT count(*) FROM run WHERE (SELECT count(*) FROM run) > %lld AND EXISTS (SELECT 1 "
                  "FROM step WHERE step.run = "
                  "run.number AND step.name = '%s') AND run.started_ns = (SELECT max(started_ns) FROM run)",
                  (long long)runs, stage);
    struct begin begin = {lab, begun, command};
    bool over = lab_until(60, has_begun_or_ended, &begin);
    AUTO_FREE char *said = lab_read(lab, "command.err");
    cr_assert(over, "the stage did not begin: %s", said);
    if (lab_sql_number(lab, begun) == 0) {
        /* The run before was killed when its machine was gone already: there is nothing left to do. */
        cr_assert(eq(int, lab_wait(lab, command, 5), 0), "%s", said);
        return false;
    }
    AUTO_FREE char *run = damage_run(lab);
    pid_t worker = lab_worker(lab);
    usleep((useconds_t)ms * 1000);
    bool killed = worker > 0 && kill(worker, SIGKILL) == 0;
    int code = lab_wait(lab, command, 10);
    if (!killed || code == 0)
        return false;
    cr_assert(eq(int, code, 70), "after %d ms", ms);
    cr_assert(damage_empty(lab, run, 5), "after %d ms processes of the run are left", ms);
    struct lab_result status = lab_run(lab, "status", NULL);
    cr_assert(strstr(status.out, "crashed") != NULL, "%s", status.out);
    return true;
}

static void kill_while_provisioned(int first_ms, int last_ms, int step_ms, bool destroyed)
{
    struct lab *lab = sandbox_lab("", PLAY);
    int rounds = 0;
    for (int ms = first_ms; ms <= last_ms; ms += step_ms) {
        rounds += kill_in_stage(lab, "provision", ms, "create", NULL);
        AUTO_FREE char *machine = machine_id(lab);
        if (destroyed) {
            destroy(lab);
            hold_nothing_left(lab, machine);
        }
    }
    cr_assert(gt(int, rounds, 1));
    struct lab_result made = lab_run(lab, "create", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    AUTO_FREE char *machine = machine_id(lab);
    cr_assert(gt(int, guest_of(machine), 0));
    destroy(lab);
    hold_nothing_left(lab, machine);
}

Test(sandbox_run, a_worker_killed_while_it_makes_one_leaves_what_destroy_finds)
{
    kill_while_provisioned(0, 600, 120, true);
}

Test(sandbox_run, a_worker_killed_while_it_makes_one_is_made_good_by_the_next_create)
{
    kill_while_provisioned(60, 600, 130, false);
}

Test(sandbox_run, a_worker_killed_while_it_destroys_is_made_good_by_the_next_destroy)
{
    struct lab *lab = sandbox_lab("", PLAY);
    struct lab_result made = lab_run(lab, "create", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    AUTO_FREE char *machine = machine_id(lab);
    for (int ms = 10; ms <= 500; ms += 160)
        if (!kill_in_stage(lab, "destroy", ms, "destroy", "--yes"))
            break;
    destroy(lab);
    hold_nothing_left(lab, machine);
    struct lab_result status = lab_run(lab, "status", NULL);
    cr_assert(strstr(status.out, "absent") != NULL, "%s", status.out);
}

Test(sandbox_run, a_crash_of_a_run_does_not_touch_its_machine_nor_the_async_jobs_on_it)
{
    struct lab *lab =
        sandbox_lab("", PLAY
                    "    - ansible.builtin.command: sleep 1234\n      async: 1300\n      poll: 0\n"
                    "    - ansible.builtin.command: \"{{ lookup('file', playbook_dir ~ '/../what') }}\"\n");
    lab_write(lab, "what", "sleep 1000");
    pid_t command = lab_start(lab, "create", "create", NULL);
    cr_assert(lab_until_sql(lab, 60, "SELECT count(*) > 1 FROM slowest_task"));
    AUTO_FREE char *run = damage_run(lab), *machine = machine_id(lab);
    pid_t guest = guest_of(machine);
    cr_assert(gt(int, guest, 0));
    damage_kill_both(lab);
    cr_assert(eq(int, lab_wait(lab, command, 5), 70));
    lab_write(lab, "what", "true");
    lab_write(lab, "playbooks/work.yml", "%s", PLAY);
    struct lab_result next = lab_run(lab, "create", NULL);
    cr_assert(eq(int, next.code, 0), "%s", next.err);
    cr_assert(strstr(next.err, "had died") != NULL, "%s", next.err);
    cr_assert(eq(int, guest_of(machine), guest), "the machine went with the dead run");
    cr_assert(eq(i64, is_fresh(lab), 0));
    cr_assert(eq(int, damage_processes(lab, run), 0), "what the dead run left in the guest was not ended");
    struct lab_result jobs =
        lab_run(lab, "ssh", "box", "--", "pgrep -xc sleep; pgrep -xf 'sleep 1234'", NULL);
    cr_assert(eq(int, jobs.code, 0), "the async job in the guest went with the dead run");
    cr_assert(text_starts(jobs.out, "1\n"), "%s", jobs.out);
    destroy(lab);
    hold_nothing_left(lab, machine);
}

Test(sandbox_run, a_guest_that_died_is_brought_up_again_with_what_it_held)
{
    struct lab *lab = sandbox_lab("", PLAY);
    struct lab_result first = lab_run(lab, "create", NULL);
    cr_assert(eq(int, first.code, 0), "%s", first.err);
    AUTO_FREE char *machine = machine_id(lab);
    pid_t guest = guest_of(machine);
    damage_kill(guest);
    struct lab_result again = lab_run(lab, "create", NULL);
    cr_assert(eq(int, again.code, 0), "%s", again.err);
    AUTO_FREE char *now = machine_id(lab);
    cr_assert(eq(str, now, machine));
    cr_assert(ne(int, guest_of(machine), guest));
    cr_assert(eq(i64,
                 lab_sql_number(lab, "SELECT step.changed FROM step JOIN run ON run.number = step.run WHERE "
                                     "step.name = 'work' ORDER BY "
                                     "run.started_ns DESC LIMIT 1"),
                 0),
              "it forgot what an earlier run made");
    destroy(lab);
    hold_nothing_left(lab, machine);
}

Test(sandbox_run, cancelled_while_it_is_made_it_leaves_what_destroy_finds)
{
    struct lab *lab = sandbox_lab("", PLAY);
    pid_t command = lab_start(lab, "create", "create", NULL);
    cr_assert(lab_until_sql(lab, 30, "SELECT count(*) FROM step WHERE name = 'provision'"));
    usleep(200000);
    kill(command, SIGINT);
    cr_assert(eq(int, lab_wait(lab, command, 15), 130));
    AUTO_FREE char *machine = machine_id(lab), *outcome = lab_sql(lab, "SELECT outcome FROM run");
    cr_assert(eq(str, outcome, "cancelled"));
    destroy(lab);
    hold_nothing_left(lab, machine);
}

Test(sandbox_run, a_provision_that_was_cut_off_is_gone_on_with, .timeout = 300)
{
    struct lab *lab = sandbox_lab("", PLAY);
    struct lab_result begun = lab_run(lab, "create", "box", "--detach", NULL);
    cr_assert(eq(int, begun.code, 0), "%s", begun.err);
    cr_assert(
        lab_until_sql(lab, 60, "SELECT count(*) FROM step WHERE name = 'provision' AND outcome IS NULL"));
    damage_kill_both(lab);
    struct lab_result resumed = lab_run(lab, "resume", NULL);
    cr_assert(eq(int, resumed.code, 0), "%s", resumed.err);
    cr_assert(strstr(resumed.err, "ended as crashed at provision") != NULL, "%s", resumed.err);
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM machine"), 1));
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT fresh FROM run WHERE kind = 'resume'"), 1));
    AUTO_FREE char *machine = machine_id(lab);
    destroy(lab);
    hold_nothing_left(lab, machine);
}
