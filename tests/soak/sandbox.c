/* Rounds of kill -9 while a real sandbox is made, converged or destroyed; after each the next command puts it
 * in order, and destroy leaves nothing of it. SOAK_SANDBOX_ROUNDS (30) and SOAK_SEED as in kill.c. */
#include "lab/sandbox.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned number_from(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
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

/* Kills the worker (and the guard, every third time) some time after the command began its run. */
static bool kill_somewhere(struct lab *lab, unsigned number, unsigned most_ms, const char *word,
                           const char *yes)
{
    AUTO_FREE char *begun = xasprintf("SELECT count(*) > %lld FROM run",
                                      (long long)lab_sql_number(lab, "SELECT count(*) FROM run"));
    pid_t command = lab_start(lab, "command", word, "box", yes, NULL);
    struct begin begin = {lab, begun, command};
    bool over = lab_until(60, has_begun_or_ended, &begin);
    AUTO_FREE char *said = lab_read(lab, "command.err");
    cr_assert(over, "%s did not begin: %s", word, said);
    if (lab_sql_number(lab, begun) == 0) {
        cr_assert(eq(int, lab_wait(lab, command, 5), 0), "%s: %s", word, said);
        return false; /* nothing was there */
    }
    AUTO_FREE char *run = damage_run(lab);
    usleep((useconds_t)((unsigned)rand() % most_ms) * 1000);
    pid_t worker = lab_worker(lab), guard = number % 3 == 0 ? lab_guard(lab) : 0;
    bool hit = worker > 1 && kill(worker, SIGSTOP) == 0;
    if (guard > 1)
        kill(guard, SIGKILL);
    hit = hit && kill(worker, SIGKILL) == 0;
    lab_wait(lab, command, 30);
    if (guard <= 1)
        cr_assert(damage_empty(lab, run, 5), "processes of run %s are left", run);
    return hit;
}

Test(soak_sandbox, kills_while_one_is_made_or_destroyed_leave_nothing_after_destroy, .timeout = 7200)
{
    rig_needed();
    unsigned seed = number_from("SOAK_SEED", (unsigned)(moment_wall() / NS_PER_MS)), hits = 0;
    srand(seed);
    fprintf(stderr, "seed %u\n", seed);
    struct lab *lab = lab_new();
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  box:\n    provider: sandbox\n    recipe: work\n");
    lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: playbooks/work.yml\n");
    lab_write(lab, "playbooks/work.yml",
              "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n");
    unsigned rounds = number_from("SOAK_SANDBOX_ROUNDS", 30);
    int64_t start = moment_monotonic();
    for (unsigned number = 0; number < rounds; number++) {
        hits += kill_somewhere(lab, number, 1500, "create", NULL);
        if (number % 2) {
            /* Every other time it is made good first. */
            struct lab_result made = lab_run(lab, "create", "box", NULL);
            cr_assert(eq(int, made.code, 0), "round %u: %s", number, made.err);
            hits += kill_somewhere(lab, number, 800, "destroy", "--yes");
        }
        AUTO_FREE char *machine = lab_sql(lab, "SELECT id FROM machine ORDER BY id DESC LIMIT 1");
        struct lab_result gone = lab_run(lab, "destroy", "box", "--yes", NULL);
        cr_assert(eq(int, gone.code, 0), "round %u: %s", number, gone.err);
        /* killed before it had a name */
        AUTO_FREE char *left = strlen(machine) > 10 ? damage_left(machine) : xstrdup("");
        cr_assert(eq(str, left, ""), "round %u", number);
        cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE outcome IS NULL"), 0));
    }
    fprintf(stderr, "%u rounds, %u kills, nothing left, %.0f s\n", rounds, hits,
            (double)(moment_monotonic() - start) / (double)NS_PER_S);
}
