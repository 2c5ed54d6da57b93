#include "lab/failing_sweep.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/sql.h"
#include "lab/sandbox.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BOUND_S = 25, TASKS = 2, SPREAD = 17, WORDS_MOST = 4 };

const struct failing_sweep failing_sweeps[] = {
    {"one I/O error",
     {FAULT_OPEN | FAULT_READ | FAULT_WRITE | FAULT_SYNC | FAULT_CHANGE | FAULT_MAP | FAULT_REMOVE, EIO,
      false, NULL, NULL},
     false},
    {"disk full from there on",
     {FAULT_WRITE | FAULT_SYNC | FAULT_CHANGE | FAULT_MAP, ENOSPC, true, NULL, NULL},
     false},
    {"I/O errors from there on", {FAULT_READ | FAULT_WRITE | FAULT_SYNC, EIO, true, NULL, NULL}, false},
    {"half of a write", {FAULT_WRITE, FAULT_SHORT, false, NULL, NULL}, true},
    {"half of a read", {FAULT_READ, FAULT_SHORT, false, NULL, NULL}, true},
    {"interrupted", {FAULT_READ | FAULT_WRITE, EINTR, false, NULL, NULL}, true},
    {0},
};

const struct failing_sweep failing_memory[] = {
    {"no memory for the worker, once", {FAULT_MEMORY, ENOMEM, false, "triphase-worker", ""}, false},
    {"no memory for the worker from there on", {FAULT_MEMORY, ENOMEM, true, "triphase-worker", ""}, false},
    {"no memory for any of them, once", {FAULT_MEMORY, ENOMEM, false, NULL, ""}, false},
    {0},
};

struct lab *failing_lab(void)
{
    struct lab *lab =
        damage_lab("    attempts: 1\n", "play; task t1; task t2; finish; touch $FOLDER/finished\n");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    struct lab_result again = lab_run(lab, "run", "host", NULL);
    cr_assert(eq(int, again.code, 0), "%s", again.err);
    failing_load(lab);
    return lab;
}

static void forget(struct lab *lab, const char *name)
{
    AUTO_FREE char *path = file_join(lab_folder(lab), name);
    unlink(path);
}

/* For messages: which fault it was. */
static char *describe(const struct failing_sweep *sweep, uint64_t nth, const char *struck,
                      const struct lab_result *result)
{
    return xasprintf("%s, call %llu: %s; exit %d after %.1f s: %s", sweep->name, (unsigned long long)nth,
                     struck ? struck : "(none)", result->code, result->seconds, result->err);
}

/* Without memory a process ends at once, saying so: nothing else is left to it. */
static bool is_abort(const struct failing_sweep *sweep, const struct lab_result *result)
{
    return sweep->fault.calls & FAULT_MEMORY && result->code == 128 + SIGABRT &&
           strstr(result->err, "out of memory");
}

static void hold_ended_well(const struct failing_sweep *sweep, const struct lab_result *result,
                            const char *what)
{
    cr_assert(result->code < 128 || is_abort(sweep, result), "it died: %s", what);
    cr_assert(lt(dbl, result->seconds, (double)BOUND_S), "it took too long: %s", what);
    if (sweep->retried)
        cr_assert(eq(int, result->code, 0), "it was not tried again: %s", what);
    if (result->code)
        cr_assert(result->code == 70 || result->code == 2 || is_abort(sweep, result), "a wrong code: %s",
                  what);
    if (result->code)
        cr_assert(strlen(result->err) > 0, "it said nothing: %s", what);
}

static void hold_sound(struct lab *lab, const char *what)
{
    struct lab_result check = lab_run(lab, "store", "check", NULL);
    cr_assert(eq(int, check.code, 0), "%s%s: after %s", check.out, check.err, what);
}

/* No row says more than what was. */
static void hold_rows_true(struct lab *lab, const char *run, int code, const char *what)
{
    bool finished = lab_exists(lab, "finished");
    AUTO_FREE char *of_run = xasprintf("SELECT outcome FROM run WHERE id = '%s'", run);
    AUTO_FREE char *of_step =
        xasprintf("SELECT step.outcome FROM step JOIN run ON run.number = step.run WHERE run.id = '%s' AND"
                  " step.kind = 'phase'",
                  run);
    AUTO_FREE char *of_tasks = xasprintf("SELECT count(*) FROM slowest_task WHERE run = '%s'", run);
    AUTO_FREE char *outcome = lab_sql(lab, of_run), *step = lab_sql(lab, of_step);
    bool run_ok = text_is(outcome, "ok"), step_ok = text_is(step, "ok");
    cr_assert(step_ok || !run_ok, "a run is ok whose step is '%s': %s", step, what);
    cr_assert(finished || !step_ok, "a step is ok that did not end: %s", what);
    if (step_ok)
        cr_assert(eq(i64, lab_sql_number(lab, of_tasks), TASKS), "a step is ok without its tasks: %s", what);
    cr_assert(run_ok || code != 0, "the command says ok, the row '%s': %s", outcome, what);
}

static char *last_run(struct lab *lab)
{
    return lab_sql(lab, "SELECT id FROM run ORDER BY number DESC LIMIT 1");
}

/* A run without an end is said to have crashed. */
static void hold_crash_is_said(struct lab *lab, const char *run, const char *what)
{
    AUTO_FREE char *query = xasprintf("SELECT count(*) FROM run WHERE id = '%s' AND outcome IS NULL", run);
    if (!lab_sql_number(lab, query))
        return;
    struct lab_result status = lab_run(lab, "status", NULL);
    cr_assert(strstr(status.out, "crashed") != NULL, "%s%s: %s", status.out, status.err, what);
}

static void hold_next_works(struct lab *lab, const char *run, const char *what)
{
    struct lab_result next = lab_run(lab, "run", "host", NULL);
    cr_assert(eq(int, next.code, 0), "the next run: %s: after %s", next.err, what);
    AUTO_FREE char *query = xasprintf("SELECT count(*) FROM run WHERE id = '%s' AND outcome IS NULL", run);
    cr_assert(eq(i64, lab_sql_number(lab, query), 0), "the run was not put in order: %s", what);
    AUTO_FREE char *status = xasprintf("SELECT coalesce(outcome, '') FROM run WHERE id = '%s'", run);
    AUTO_FREE char *outcome = lab_sql(lab, status);
    cr_assert(ne(str, outcome, ""), "%s", what);
}

static void note(struct failing_figures *figures, const struct lab_result *result)
{
    figures->struck++;
    figures->failed += result->code != 0;
    figures->slowest = result->seconds > figures->slowest ? result->seconds : figures->slowest;
}

/* Of `most` calls, each is in the middle of an equal part of them. */
static uint64_t stride_of(uint64_t calls, unsigned most)
{
    return most && calls > most ? calls / most : 1;
}

static struct lab_result run_words(struct lab *lab, const char *const *words)
{
    const char *all[WORDS_MOST] = {0};
    for (size_t i = 0; i < WORDS_MOST && words[i]; i++)
        all[i] = words[i];
    return lab_run(lab, all[0], all[1], all[2], all[3], NULL);
}

void failing_figures_add(struct text *table, const struct failing_sweep *sweep, const char *const *words,
                         const struct failing_figures *figures)
{
    if (!table->length)
        text_add(table, "| command | what fails | calls | rounds | ended with an error | slowest "
                        "|\n|---|---|---|---|---|---|\n");
    text_addf(table, "| %s %s | %s | %llu | %u | %u | %.1f s |\n", words[0], words[1] ? words[1] : "",
              sweep->name, (unsigned long long)figures->calls, figures->struck, figures->failed,
              figures->slowest);
}

static uint64_t count_calls(struct lab *lab, const struct failing_sweep *sweep, const char *const *words)
{
    failing_arm(lab, &sweep->fault, 0);
    struct lab_result plain = run_words(lab, words);
    failing_disarm(lab);
    cr_assert(eq(int, plain.code, 0), "%s", plain.err);
    return failing_count(lab);
}

/* After a run under a fault: `before` is the run before it. */
static void hold_in_order(struct lab *lab, const struct failing_sweep *sweep, const char *before,
                          const struct lab_result *result, const char *what)
{
    AUTO_FREE char *run = last_run(lab);
    bool begun = !text_is(before, run);
    hold_ended_well(sweep, result, what);
    cr_assert(begun || result->code != 0, "ok, without a row: %s", what);
    if (begun)
        hold_rows_true(lab, run, result->code, what);
    hold_sound(lab, what);
    hold_crash_is_said(lab, run, what);
    hold_next_works(lab, run, what);
}

static bool nothing_left(struct lab *lab)
{
    AUTO_FREE char *run = last_run(lab);
    return damage_empty(lab, run, 5);
}

struct failing_figures failing_sweep_run(struct lab *lab, const struct failing_sweep *sweep, unsigned most,
                                         struct text *table)
{
    static const char *const words[] = {"run", "host", NULL};
    struct failing_figures figures = {.calls = count_calls(lab, sweep, words)};
    uint64_t stride = stride_of(figures.calls, most);
    /* The store grows with each round, and with it what is read: without a bound the
     * last call is never reached. */
    uint64_t last = figures.calls + (most ? 0 : figures.calls / 4);
    for (uint64_t nth = 1 + stride / 2; nth <= last; nth += stride) {
        forget(lab, "finished");
        AUTO_FREE char *before = last_run(lab);
        failing_arm(lab, &sweep->fault, nth);
        struct lab_result result = lab_run(lab, "run", "host", NULL);
        bool empty = nothing_left(lab);
        const char *struck = failing_disarm(lab);
        AUTO_FREE char *what = describe(sweep, nth, struck, &result);
        if (!struck) {
            /* How often a file is looked at differs from run to run. */
            cr_assert(eq(int, result.code, 0), "%s", what);
            if (nth > figures.calls)
                break;
            continue;
        }
        note(&figures, &result);
        cr_assert(empty, "something is left: %s", what);
        hold_in_order(lab, sweep, before, &result, what);
    }
    failing_figures_add(table, sweep, words, &figures);
    return figures;
}

void failing_descriptors(struct lab *lab, unsigned step, struct text *table)
{
    static const char *const words[] = {"run", "host", NULL};
    const struct failing_sweep sweep = {.name = "no more descriptors"};
    struct failing_figures figures = {0};
    unsigned enough = 0;
    for (unsigned most = 4; enough < (step > 1 ? 1 : 3); most += step) {
        cr_assert(lt(int, (int)most, 200), "a run never has enough descriptors");
        forget(lab, "finished");
        AUTO_FREE char *before = last_run(lab), *limit = xasprintf("ulimit -n %u", most);
        struct lab_result result = lab_run_after(lab, limit, "run", "host", NULL);
        AUTO_FREE char *what = describe(&sweep, most, limit, &result);
        enough = result.code == 0 ? enough + 1 : 0;
        if (result.code)
            cr_assert(strstr(result.err, "open files") != NULL, "it does not say why: %s", what);
        figures.calls = most;
        note(&figures, &result);
        cr_assert(nothing_left(lab), "something is left: %s", what);
        hold_in_order(lab, &sweep, before, &result, what);
    }
    failing_figures_add(table, &sweep, words, &figures);
}

static struct failing_figures sweep_command(struct lab *lab, const struct failing_sweep *sweep, unsigned most,
                                            const char *const *words, void (*prepare)(struct lab *lab),
                                            void (*holds)(struct lab *lab, const struct lab_result *result))
{
    if (prepare)
        prepare(lab);
    struct failing_figures figures = {.calls = count_calls(lab, sweep, words)};
    uint64_t stride = stride_of(figures.calls, most);
    for (uint64_t nth = 1 + stride / 2; !most || nth <= figures.calls; nth += stride) {
        if (prepare)
            prepare(lab);
        failing_arm(lab, &sweep->fault, nth);
        struct lab_result result = run_words(lab, words);
        const char *struck = failing_disarm(lab);
        AUTO_FREE char *what = describe(sweep, nth, struck, &result);
        if (!struck && nth > figures.calls)
            break;
        if (!struck)
            continue;
        note(&figures, &result);
        hold_ended_well(sweep, &result, what);
        hold_sound(lab, what);
        if (holds)
            holds(lab, &result);
    }
    return figures;
}

/* Commands that only work on the store. */

static void keep_state(struct lab *lab)
{
    lab_write(lab, "put-back", "#!/bin/sh\ncd %s && rm -rf .triphase out && cp -a kept .triphase\n",
              lab_folder(lab));
    AUTO_FREE char *from = file_join(lab_folder(lab), ".triphase"), *to = file_join(lab_folder(lab), "kept");
    AUTO_FREE char *other = file_join(lab_folder(lab), "other.db");
    AUTO_ERROR err = ERROR_INIT;
    struct lab_result out = lab_run(lab, "store", "export", other, NULL);
    cr_assert(eq(int, out.code, 0), "%s", out.err);
    cr_assert(program_do(20 * NS_PER_S, NULL, &err, "cp", "-a", from, to, NULL) == 0, "%s", error_text(&err));
}

static void put_back(struct lab *lab)
{
    AUTO_FREE char *script = file_join(lab_folder(lab), "put-back");
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_do(20 * NS_PER_S, NULL, &err, "sh", script, NULL) == 0, "%s", error_text(&err));
}

static int64_t runs(struct lab *lab)
{
    return lab_sql_number(lab, "SELECT count(*) FROM run");
}

/* What a reading command said when nothing failed. */
static char *undisturbed;

static void hold_said_the_same(struct lab *lab, const struct lab_result *result)
{
    cr_assert(eq(i64, runs(lab), 2), "a command that only reads changed the rows");
    if (result->code == 0)
        cr_assert(eq(str, result->out, undisturbed), "a call failed, and it says something else");
}

/* All or nothing: both runs of the other store, or neither. */
static void hold_merged_whole(struct lab *lab, const struct lab_result *result)
{
    int64_t rows = runs(lab), tasks = lab_sql_number(lab, "SELECT count(*) FROM task");
    cr_assert(rows == 2 || rows == 0, "%lld runs were merged", (long long)rows);
    cr_assert(eq(i64, tasks, rows * 2), "runs without their tasks");
    cr_assert(rows == 2 || result->code != 0, "the command says that it merged");
}

static void hold_pruned(struct lab *lab, const struct lab_result *result)
{
    cr_assert(runs(lab) == 20 || result->code != 0, "the command says that it pruned");
}

static void hold_forgotten(struct lab *lab, const struct lab_result *result)
{
    int64_t there = lab_sql_number(lab, "SELECT count(*) FROM machine WHERE removed_ns = 0");
    cr_assert(there == 0 || result->code != 0, "the command says that it forgot");
}

static void put_back_and_make_room(struct lab *lab)
{
    put_back(lab);
    rig_shell("mkdir -p %s/out", lab_folder(lab));
}

/* Whole, with what is missing named in it, or not there at all. */
static void hold_bundled(struct lab *lab, const struct lab_result *result)
{
    const char *folder = lab_folder(lab);
    AUTO_FREE char *left = rig_output("ls -A %s/out", folder),
                   *listed = rig_output("tar -tzf %s/out/a.tar.gz && echo whole", folder),
                   *missing =
                       rig_output("tar -xzOf %s/out/a.tar.gz --wildcards '*/manifest.json' | python3 -c "
                                  "'import json, sys; print(len(json.load(sys.stdin)[\"missing\"]))'",
                                  folder);
    if (result->code != 0) {
        cr_assert(eq(str, left, ""), "a bundle that failed left something: %s", result->err);
        return;
    }
    cr_assert(text_ends(listed, "whole\n"), "it cannot be read: %s", result->err);
    static char *all, *all_missing; /* the first is the undisturbed one */
    if (!all) {
        all = lab_keep(TAKE(listed));
        all_missing = lab_keep(TAKE(missing));
        return;
    }
    cr_assert(text_is(listed, all) || !text_is(missing, all_missing),
              "members are missing, and it does not say so: %s", listed);
}

static void change_store(struct lab *lab, const char *statements)
{
    AUTO_FREE char *path = file_join(lab_folder(lab), ".triphase/store.db");
    AUTO_SQL *db = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(sql_open(path, SQL_WRITE, 5000, &db, &err) == 0 && sql_run(db, statements, &err) == 0, "%s",
              error_text(&err));
}

/* A store without runs, for merging into. */
static void put_back_empty(struct lab *lab)
{
    put_back(lab);
    change_store(lab, "DELETE FROM run; DELETE FROM name; DELETE FROM machine");
}

/* With as many later runs as a prune leaves: the two are what it takes. */
static void put_back_old(struct lab *lab)
{
    put_back(lab);
    change_store(lab,
                 "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) INSERT INTO"
                 " run (id, kind, target, partial, fresh, started_ns, duration_ns, outcome, exit_code)"
                 " SELECT printf('01890000-0000-7000-8000-%012x', i), 'create', 'host', 0, 0,"
                 " (SELECT max(started_ns) FROM run) + 60000000000, 1, 'ok', 0 FROM n");
}

static const struct command {
    const char *words[WORDS_MOST + 1]; /* "": a path, filled in */
    const char *path;                  /* in the lab's folder */
    const char *below;                 /* as of a fault */
    void (*prepare)(struct lab *lab);
    void (*holds)(struct lab *lab, const struct lab_result *result);
} commands[] = {
    {{"store", "merge", "", NULL}, "other.db", NULL, put_back_empty, hold_merged_whole},
    {{"store", "prune", "--keep", "0s", NULL}, NULL, NULL, put_back_old, hold_pruned},
    {{"forget", "host", "--yes", NULL}, NULL, NULL, put_back, hold_forgotten},
    {{"report", NULL}, NULL, NULL, put_back, hold_said_the_same},
    {{"status", NULL}, NULL, NULL, put_back, hold_said_the_same},
    {{"events", NULL}, NULL, NULL, put_back, hold_said_the_same},
    {{"bundle", "--no-host", "-o", "", NULL}, "out/a.tar.gz", "", put_back_and_make_room, hold_bundled},
};

void failing_sweep_commands(struct lab *lab, const struct failing_sweep *sweep, unsigned most,
                            struct text *table)
{
    AUTO_FREE char *kept = file_join(lab_folder(lab), "kept");
    if (!file_exists(kept))
        keep_state(lab);
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        struct command command = commands[i];
        struct failing_sweep own = *sweep;
        own.fault.below = command.below;
        AUTO_FREE char *path = command.path ? file_join(lab_folder(lab), command.path) : NULL;
        for (size_t word = 0; command.words[word]; word++)
            if (!*command.words[word])
                command.words[word] = path;
        command.prepare(lab);
        struct lab_result plain = run_words(lab, command.words);
        undisturbed = plain.out;
        command.holds(lab, &plain);
        struct failing_figures figures =
            sweep_command(lab, &own, most, command.words, command.prepare, command.holds);
        failing_figures_add(table, &own, command.words, &figures);
    }
}
