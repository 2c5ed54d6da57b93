/* Rounds of kill -9 at random moments: of the worker, the guard, the follower, a child of the run, or
 * several of them at once. After each round nothing of the run is left, and after the next acting command
 * every event that reached the disk is in the store, every row that was finished is as it was.
 * SOAK_ROUNDS (200) and SOAK_SEED (from the clock) set how many and which; SOAK_TABLE names a file that
 * gets the figures (figures.h). */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "figures.h"
#include "lab/damage.h"
#include "process/marked.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum victim { WORKER, GUARD, FOLLOWER, CHILD, WORKER_AND_GUARD, ALL_THREE, VICTIMS };

static const char *const names[] = {"worker",           "guard",
                                    "follower",         "a child of the run",
                                    "worker and guard", "worker, guard and follower"};

struct figures {
    int rounds, hit, crashed, ok, other;
    double slowest_empty;
};

static bool has_guard_after(enum victim victim)
{
    return victim != WORKER_AND_GUARD && victim != ALL_THREE;
}

static unsigned rounds_wanted(void)
{
    const char *text = getenv("SOAK_ROUNDS");
    return text ? (unsigned)strtoul(text, NULL, 10) : 200;
}

static unsigned seed_wanted(void)
{
    const char *text = getenv("SOAK_SEED");
    return text ? (unsigned)strtoul(text, NULL, 10) : (unsigned)(moment_wall() / NS_PER_MS);
}

static double seconds_since(int64_t start)
{
    return (double)(moment_monotonic() - start) / (double)NS_PER_S;
}

/* Complete event lines of results in the files of a run: what must be in the store. */
static int results_on_disk(struct lab *lab, const char *run)
{
    AUTO_FREE char *folder = xasprintf("%s/.triphase/runs/%s", lab_folder(lab), run);
    AUTO_WORDS files = WORDS_INIT;
    file_list(folder, &files, NULL);
    int count = 0;
    for (size_t i = 0; i < files.count; i++) {
        if (!text_ends(files.items[i], ".events.ndjson"))
            continue;
        AUTO_FREE char *path = file_join(folder, files.items[i]);
        AUTO_TEXT bytes = TEXT_INIT;
        cr_assert(file_read(path, 64 << 20, &bytes, NULL) == 0);
        const char *at = text_string(&bytes);
        for (const char *newline; (newline = strchr(at, '\n')); at = newline + 1)
            count += memmem(at, (size_t)(newline - at), "\"kind\":\"result\"", 15) != NULL;
    }
    return count;
}

/* Rows of steps that had ended, as text: they may never change. */
static char *ended_steps(struct lab *lab, const char *run)
{
    AUTO_FREE char *query = xasprintf("SELECT group_concat(line, ';') FROM (SELECT step.seq || ' ' || "
                                      "step.name || ' ' || step.outcome || ' ' || step.duration_ns || ' ' || "
                                      "step.ok AS line FROM step JOIN run ON run.number = step.run WHERE "
                                      "run.id = '%s' AND step.outcome IS NOT NULL ORDER BY step.seq)",
                                      run);
    return lab_sql(lab, query);
}

/* A process of the run's scope, chosen by chance; 0 when there is none. */
static pid_t some_child(const char *run)
{
    AUTO_FREE char *marker = xasprintf("TRIPHASE_RUN=%s", run);
    AUTO_FREE pid_t *pids = NULL;
    int count = marked_find(marker, &pids, NULL);
    return count > 0 ? pids[rand() % count] : 0;
}

static bool strike(pid_t pid)
{
    return pid > 1 && kill(pid, SIGKILL) == 0;
}

static bool strike_victim(struct lab *lab, enum victim victim, pid_t follower, const char *run)
{
    pid_t worker = lab_worker(lab), guard = lab_guard(lab);
    bool live_worker = worker > 1 && damage_alive(worker);
    switch (victim) {
    case WORKER:
        return live_worker && strike(worker);
    case GUARD:
        return strike(guard);
    case FOLLOWER:
        return strike(follower);
    case CHILD:
        return strike(some_child(run));
    case WORKER_AND_GUARD:
    case ALL_THREE:
        if (!live_worker || kill(worker, SIGSTOP) < 0)
            return false;
        strike(guard);
        if (victim == ALL_THREE)
            strike(follower);
        return strike(worker);
    case VICTIMS:
        break;
    }
    return false;
}

static bool no_worker(void *context)
{
    pid_t worker = lab_worker(context);
    return !worker || !damage_alive(worker);
}

struct round {
    char *run, *ended; /* of the round before */
    enum victim victim;
    bool hit;
};

/* What the round before left, now that an acting command has put it in order. */
static void hold_nothing_lost(struct lab *lab, struct round *round, struct figures *figures)
{
    if (!round->run)
        return;
    AUTO_FREE char *rows = xasprintf("SELECT count(*) FROM slowest_task WHERE run = '%s'", round->run);
    AUTO_FREE char *outcome_query = xasprintf("SELECT outcome FROM run WHERE id = '%s'", round->run);
    AUTO_FREE char *ended = ended_steps(lab, round->run), *outcome = lab_sql(lab, outcome_query);
    cr_assert(eq(int, (int)lab_sql_number(lab, rows), results_on_disk(lab, round->run)),
              "%s killed: events of run %s are not in the store", names[round->victim], round->run);
    cr_assert(strncmp(ended, round->ended, strlen(round->ended)) == 0,
              "%s killed: ended rows changed from\n%s\nto\n%s", names[round->victim], round->ended, ended);
    cr_assert(ne(str, outcome, ""), "%s killed: run %s has no end", names[round->victim], round->run);
    cr_assert(eq(int, damage_processes(lab, round->run), 0), "%s killed: processes of run %s are left",
              names[round->victim], round->run);
    struct figures *row = &figures[round->victim];
    row->crashed += text_is(outcome, "crashed");
    row->ok += text_is(outcome, "ok");
    row->other += !text_is(outcome, "crashed") && !text_is(outcome, "ok");
    /* Only what was hit may have ended otherwise than well, and a follower or guard
     * never costs a run anything. */
    if (!round->hit || round->victim == FOLLOWER || round->victim == GUARD)
        cr_assert(eq(str, outcome, "ok"), "%s killed: run %s", names[round->victim], round->run);
    free(round->run);
    free(round->ended);
    round->run = NULL;
}

static void write_table(const struct figures *figures, unsigned seed)
{
    static const char head[] =
        "| killed with -9 | rounds | met | run crashed | run ok | run otherwise | left "
        "over | slowest to empty |\n|---|---|---|---|---|---|---|---|\n";
    AUTO_TEXT rows = TEXT_INIT;
    for (int i = 0; i < VICTIMS; i++) {
        AUTO_FREE char *slowest = has_guard_after((enum victim)i)
                                      ? xasprintf("%.2f s", figures[i].slowest_empty)
                                      : xstrdup("by the next command");
        text_addf(&rows, "| %s | %d | %d | %d | %d | %d | 0 | %s |\n", names[i], figures[i].rounds,
                  figures[i].hit, figures[i].crashed, figures[i].ok, figures[i].other, slowest);
    }
    fprintf(stderr, "seed %u\n", seed);
    figures_add(head, text_string(&rows));
}

Test(soak, kills_at_random_moments_lose_nothing_and_leave_nothing, .timeout = 7200)
{
    unsigned seed = seed_wanted();
    srand(seed);
    fprintf(stderr, "seed %u\n", seed);
    struct lab *lab = damage_lab("    attempts: 1\n",
                                 "play; task t0\nsetsid sh -c 'trap \"\" TERM HUP INT; sleep 3 & wait' &\n"
                                 "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do task t$i; sleep 0.04; done\n"
                                 "kill $(cat /proc/$!/task/$!/children) $! 2>/dev/null; finish\n");
    struct lab_result first = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, first.code, 0), "%s", first.err);
    struct figures figures[VICTIMS] = {0};
    struct round round = {0};
    for (unsigned number = 0; number < rounds_wanted(); number++) {
        enum victim victim = (enum victim)(number % VICTIMS);
        int64_t runs = lab_sql_number(lab, "SELECT count(*) FROM run");
        AUTO_FREE char *begun = xasprintf("SELECT count(*) > %lld FROM run", (long long)runs);
        pid_t follower = lab_start(lab, "round", "create", "host", NULL);
        AUTO_FREE char *said = lab_read(lab, "round.err");
        cr_assert(lab_until_sql(lab, 60, begun), "round %u did not begin: %s", number, said);
        AUTO_FREE char *run = damage_run(lab);
        hold_nothing_lost(lab, &round, figures);
        usleep((useconds_t)(rand() % 1600) * 1000);
        figures[victim].rounds++;
        bool hit = strike_victim(lab, victim, follower, run);
        figures[victim].hit += hit;
        lab_wait(lab, follower, 30);
        cr_assert(lab_until(30, no_worker, lab), "%s killed: the worker of run %s stays", names[victim], run);
        int64_t since = moment_monotonic();
        if (has_guard_after(victim)) {
            cr_assert(damage_empty(lab, run, 5), "%s killed: processes of run %s are left", names[victim],
                      run);
            double took = seconds_since(since);
            figures[victim].slowest_empty =
                took > figures[victim].slowest_empty ? took : figures[victim].slowest_empty;
        } else {
            /* Nobody is there to end them: the next round does, and what they write until then counts too. */
            struct lab_result status = lab_run(lab, "status", NULL);
            cr_assert(eq(int, status.code, 0), "%s", status.err);
            if (hit)
                cr_assert(strstr(status.out, "crashed") != NULL, "%s", status.out);
        }
        round = (struct round){TAKE(run), NULL, victim, hit};
        round.ended = ended_steps(lab, round.run);
    }
    struct lab_result last = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, last.code, 0), "%s", last.err);
    hold_nothing_lost(lab, &round, figures);
    AUTO_FREE char *check = lab_sql(lab, "PRAGMA integrity_check");
    cr_assert(eq(str, check, "ok"));
    write_table(figures, seed);
}
