/* The store's disk full, its file locked, gone, newer or read-only: nothing hangs, the message names the
 * cause, what is on disk stays true. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"
#include "format/sql.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAITS \
    "play; task t1; touch $FOLDER/there; until [ -e $FOLDER/go ]; do sleep 0.02; done; task t2; finish\n"

/* A small file system of its own below the folder. Unmounted by the lab. */
static void mount_small(struct lab *lab, const char *path, const char *size)
{
    AUTO_FREE char *full = file_join(lab_folder(lab), path), *options = xasprintf("size=%s,mode=0700", size);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(file_make_dirs(full, 0700, &err) == 0, "%s", error_text(&err));
    cr_assert(mount("tmpfs", full, "tmpfs", 0, options) == 0, "cannot mount a tmpfs");
}

static void fill(struct lab *lab, const char *path)
{
    AUTO_FREE char *full = file_join(lab_folder(lab), path);
    AUTO_CLOSE int fd = open(full, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    static const char zeros[4096];
    cr_assert(fd >= 0);
    while (write(fd, zeros, sizeof zeros) > 0)
        continue;
    while (write(fd, zeros, 1) > 0)
        continue;
}

/* Takes the room that a file has left in its last page: the next byte needs a new one. */
static void fill_page(struct lab *lab, const char *path)
{
    AUTO_FREE char *full = file_join(lab_folder(lab), path);
    AUTO_CLOSE int fd = open(full, O_WRONLY | O_APPEND | O_CLOEXEC);
    struct stat state;
    cr_assert(fd >= 0 && fstat(fd, &state) == 0);
    for (off_t size = state.st_size; size % 4096; size++)
        cr_assert(write(fd, "\n", 1) == 1);
}

static void remove_file(struct lab *lab, const char *path)
{
    AUTO_FREE char *full = file_join(lab_folder(lab), path);
    cr_assert(unlink(full) == 0);
}

static pid_t begin(struct lab *lab)
{
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 60, "there"), "the phase did not begin");
    return command;
}

static void go(struct lab *lab)
{
    lab_write(lab, "go", "yes\n");
}

/* What the command said holds one of these words. */
static void hold_said(struct lab *lab, const char *one, const char *other)
{
    AUTO_FREE char *said = lab_read(lab, "create.err");
    cr_assert(strstr(said, one) || strstr(said, other), "%s", said);
}

static void hold_store_is_sound(struct lab *lab)
{
    AUTO_FREE char *check = lab_sql(lab, "PRAGMA integrity_check");
    cr_assert(eq(str, check, "ok"));
}

Test(disk, full_in_the_middle_ends_the_run_with_the_cause_and_the_next_one_works)
{
    struct lab *lab = damage_lab("", WAITS);
    mount_small(lab, ".triphase", "2m");
    pid_t command = begin(lab);
    AUTO_FREE char *run = damage_run(lab);
    AUTO_FREE char *journal = xasprintf(".triphase/runs/%s/run.ndjson", run);
    fill(lab, ".triphase/filler");
    fill_page(lab, journal); /* not even there can the worker say what happened */
    go(lab);
    cr_assert(eq(int, lab_wait(lab, command, 12), 70));
    hold_said(lab, "could not be stored", "could not be stored");
    hold_said(lab, "full", "No space left");
    cr_assert(damage_empty(lab, run, 5));
    struct lab_result status = lab_run(lab, "status", NULL);
    cr_assert(strstr(status.out, "crashed") != NULL, "%s%s", status.out, status.err);
    remove_file(lab, ".triphase/filler");
    struct lab_result next = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, next.code, 0), "%s", next.err);
    hold_store_is_sound(lab);
    AUTO_FREE char *query = xasprintf("SELECT outcome FROM run WHERE id = '%s'", run);
    AUTO_FREE char *outcome = lab_sql(lab, query);
    cr_assert(eq(str, outcome, "crashed"));
}

Test(disk, a_worker_that_can_write_nothing_at_all_still_says_why)
{
    struct lab *lab = damage_lab("", WAITS);
    pid_t command = begin(lab);
    AUTO_FREE char *run = damage_run(lab);
    const struct rlimit nothing = {0, 0};
    cr_assert(prlimit(damage_worker(lab), RLIMIT_FSIZE, &nothing, NULL) == 0);
    go(lab);
    cr_assert(eq(int, lab_wait(lab, command, 12), 70));
    hold_said(lab, "could not be stored", "could not be stored");
    cr_assert(damage_empty(lab, run, 5));
    struct lab_result next = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, next.code, 0), "%s", next.err);
    AUTO_FREE char *query = xasprintf("SELECT count(*) FROM slowest_task WHERE run = '%s'", run);
    cr_assert(eq(i64, lab_sql_number(lab, query), 2));
}

Test(disk, full_from_the_beginning_starts_no_phase)
{
    struct lab *lab = damage_lab("", WAITS);
    mount_small(lab, ".triphase", "2m");
    go(lab);
    struct lab_result first = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, first.code, 0), "%s", first.err);
    remove_file(lab, "there");
    fill(lab, ".triphase/filler");
    struct lab_result full = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, full.code, 70), "%s", full.err);
    cr_assert(lt(dbl, full.seconds, 15.0));
    cr_assert(strstr(full.err, "full") || strstr(full.err, "No space left"), "%s", full.err);
    cr_assert(not(lab_exists(lab, "there")), "a phase was started");
    struct lab_result status = lab_run(lab, "status", NULL), report = lab_run(lab, "report", NULL);
    cr_assert(eq(int, status.code, 0), "%s", status.err);
    cr_assert(eq(int, report.code, 0), "%s", report.err);
    remove_file(lab, ".triphase/filler");
    struct lab_result next = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, next.code, 0), "%s", next.err);
    hold_store_is_sound(lab);
}

Test(disk, full_under_the_log_alone_ends_the_step_with_a_true_row)
{
    struct lab *lab = damage_lab(
        "    attempts: 1\n",
        "play; task t1; while echo 0123456789012345678901234567890123456789; do :; done 2>/dev/null\n"
        "touch $FOLDER/filled; for i in $(seq 60); do task u$i; done 2>/dev/null; finish 2>/dev/null; exit "
        "0\n");
    mount_small(lab, ".triphase/runs", "1m");
    struct lab_result full = lab_run(lab, "create", "host", NULL);
    cr_assert(lab_exists(lab, "filled"));
    cr_assert(ne(int, full.code, 0), "events were lost and it is called ok");
    cr_assert(lt(dbl, full.seconds, 20.0));
    AUTO_FREE char *row =
        lab_sql(lab, "SELECT step.outcome IN ('failed', 'child-crashed') FROM step WHERE name = 'work'");
    cr_assert(eq(str, row, "1"));
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE outcome IS NULL"), 0));
    hold_store_is_sound(lab);
}

/* Holds the store's write lock, as another program could. */
static struct sql *lock_store(struct lab *lab)
{
    AUTO_FREE char *path = file_join(lab_folder(lab), ".triphase/store.db");
    struct sql *db = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(sql_open(path, SQL_WRITE, 5000, &db, &err) == 0 && sql_begin(db, &err) == 0, "%s",
              error_text(&err));
    return db;
}

static void unlock_store(struct sql *db)
{
    sql_rollback(db);
    sql_close(db);
}

static bool never(void *context)
{
    (void)context;
    return false;
}

Test(disk, a_lock_for_some_seconds_delays_no_phase_and_is_waited_for)
{
    struct lab *lab =
        damage_lab("", "play; task t1; touch $FOLDER/there; until [ -e $FOLDER/go ]; do sleep 0.02; done\n"
                       "for i in 2 3 4; do task t$i; done; touch $FOLDER/done; finish\n");
    pid_t command = begin(lab);
    struct sql *lock = lock_store(lab);
    go(lab);
    cr_assert(lab_until_file(lab, 2, "done"), "the phase was held up");
    lab_until(3, never, NULL); /* so long another program has it */
    cr_assert(damage_alive(command));
    unlock_store(lock);
    cr_assert(eq(int, lab_wait(lab, command, 5), 0));
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM slowest_task"), 4));
}

Test(disk, a_lock_does_not_delay_a_deadline)
{
    struct lab *lab = damage_lab("    deadline: 2s\n    attempts: 1\n    grace: 1s\n",
                                 "play; task t1; touch $FOLDER/there; sleep 1000\n");
    pid_t command = begin(lab);
    struct sql *lock = lock_store(lab);
    AUTO_FREE char *events = xasprintf("TRIPHASE_EVENTS=%s", lab_folder(lab));
    cr_assert(gt(int, lab_processes(events), 0));
    int64_t until = moment_monotonic() + 6 * NS_PER_S;
    while (lab_processes(events) && moment_monotonic() < until)
        lab_until(0.05, never, NULL);
    cr_assert(eq(int, lab_processes(events), 0), "the deadline was held up by the store");
    unlock_store(lock);
    cr_assert(eq(int, lab_wait(lab, command, 5), 5));
}

/* Longer than any wait of a command of triphase's own. */
enum { LONG_S = 13 };

Test(disk, a_lock_for_long_at_the_end_of_a_phase_delays_its_row_and_loses_nothing)
{
    struct lab *lab = damage_lab("", WAITS);
    pid_t command = begin(lab);
    struct sql *lock = lock_store(lab);
    go(lab);
    lab_until(LONG_S, never, NULL);
    cr_assert(damage_alive(command));
    unlock_store(lock);
    cr_assert(eq(int, lab_wait(lab, command, 10), 0));
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE outcome = 'ok'"), 1));
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM slowest_task"), 2));
}

Test(disk, a_lock_that_is_not_given_back_ends_a_cancelled_run_without_its_row_and_it_is_said)
{
    struct lab *lab = damage_lab("", WAITS);
    pid_t command = begin(lab);
    AUTO_FREE char *run = damage_run(lab);
    struct sql *lock = lock_store(lab);
    go(lab);
    cr_assert(kill(command, SIGTERM) == 0);
    cr_assert(eq(int, lab_wait(lab, command, 25), 70));
    unlock_store(lock);
    hold_said(lab, "lock", "held");
    cr_assert(eq(int, damage_processes(lab, run), 0));
    AUTO_FREE char *journal = xasprintf(".triphase/runs/%s/run.ndjson", run);
    cr_assert(eq(int, damage_lines(lab, journal, "\"run_end\""), 1),
              "the run's folder does not tell of its end");
    struct lab_result status = lab_run(lab, "status", NULL);
    cr_assert(strstr(status.out, "crashed") != NULL, "%s", status.out);
    struct lab_result next = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, next.code, 0), "%s", next.err);
    AUTO_FREE char *query = xasprintf("SELECT count(*) FROM slowest_task WHERE run = '%s'", run);
    cr_assert(ge(i64, lab_sql_number(lab, query), 1));
}

Test(disk, a_store_of_a_newer_triphase_is_refused_untouched)
{
    struct lab *lab = damage_lab("", WAITS);
    go(lab);
    struct lab_result first = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, first.code, 0), "%s", first.err);
    AUTO_FREE char *path = file_join(lab_folder(lab), ".triphase/store.db");
    AUTO_FREE char *back =
        xasprintf("PRAGMA user_version = %lld", (long long)lab_sql_number(lab, "PRAGMA user_version"));
    struct sql *db = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(sql_open(path, SQL_WRITE, 5000, &db, &err) == 0 &&
                  sql_run(db, "PRAGMA user_version = 99", &err) == 0,
              "%s", error_text(&err));
    sql_close(db);
    AUTO_FREE char *before = damage_store_digest(lab);
    static const char *const words[][4] = {
        {"create", "host"},          {"run", "host"}, {"destroy", "host", "--yes"},
        {"forget", "host", "--yes"}, {"status"},      {"report"}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        struct lab_result refused = lab_run(lab, words[i][0], words[i][1], words[i][2], words[i][3], NULL);
        cr_expect(eq(int, refused.code, 70), "%s: %s", words[i][0], refused.err);
        cr_expect(strstr(refused.err, "newer") != NULL, "%s: %s", words[i][0], refused.err);
    }
    AUTO_FREE char *after = damage_store_digest(lab);
    cr_assert(eq(str, before, after));
    cr_assert(sql_open(path, SQL_WRITE, 5000, &db, &err) == 0 && sql_run(db, back, &err) == 0);
    sql_close(db);
}

Test(disk, a_state_folder_that_vanishes_ends_the_run_and_leaves_nothing)
{
    struct lab *lab = damage_lab("", WAITS);
    pid_t command = begin(lab), worker = damage_worker(lab);
    AUTO_FREE char *run = damage_run(lab);
    AUTO_FREE char *state = file_join(lab_folder(lab), ".triphase");
    cr_assert(file_remove_tree(state, NULL) == 0);
    go(lab);
    int code = lab_wait(lab, command, 15);
    cr_assert(ne(int, code, 0), "a run without a store is called ok");
    cr_assert(lt(int, code, 128), "the command died");
    cr_assert(damage_gone(worker, 2));
    cr_assert(damage_empty(lab, run, 5));
    struct lab_result next = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, next.code, 0), "%s", next.err);
}

static void remount(struct lab *lab, const char *path, unsigned long flags)
{
    AUTO_FREE char *full = file_join(lab_folder(lab), path);
    cr_assert(mount(NULL, full, NULL, MS_REMOUNT | flags, NULL) == 0);
}

Test(disk, a_read_only_folder_can_be_read_and_says_why_it_cannot_be_written)
{
    struct lab *lab = damage_lab("", WAITS);
    mount_small(lab, ".triphase", "4m");
    go(lab);
    struct lab_result first = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, first.code, 0), "%s", first.err);
    remove_file(lab, "there");
    remount(lab, ".triphase", MS_RDONLY);
    static const char *const reading[] = {"status", "report", "events"};
    for (size_t i = 0; i < COUNT_OF(reading); i++) {
        struct lab_result looked = lab_run(lab, reading[i], NULL);
        cr_expect(eq(int, looked.code, 0), "%s: %s", reading[i], looked.err);
    }
    struct lab_result refused = lab_run(lab, "create", "host", NULL);
    cr_expect(eq(int, refused.code, 70), "%s", refused.err);
    cr_expect(strstr(refused.err, "ead-only") || strstr(refused.err, "readonly"), "%s", refused.err);
    cr_expect(not(lab_exists(lab, "there")), "a phase was started");
    remount(lab, ".triphase", 0);
}

Test(disk, a_project_folder_that_cannot_be_written_says_so)
{
    struct lab *lab = damage_lab("", WAITS);
    go(lab);
    mount_small(lab, "elsewhere", "1m");
    AUTO_FREE char *project = lab_read(lab, "triphase.yml"), *recipe = lab_read(lab, "phases/work.yml"),
                   *playbook = lab_read(lab, "playbooks/work.yml");
    lab_write(lab, "elsewhere/triphase.yml", "%s", project);
    lab_write(lab, "elsewhere/phases/work.yml", "%s", recipe);
    lab_write(lab, "elsewhere/playbooks/work.yml", "%s", playbook);
    remount(lab, "elsewhere", MS_RDONLY);
    AUTO_FREE char *where = file_join(lab_folder(lab), "elsewhere");
    struct lab_result refused = lab_run(lab, "-C", where, "create", "host", NULL);
    cr_assert(eq(int, refused.code, 70), "%s", refused.err);
    cr_assert(strstr(refused.err, "ead-only") && strstr(refused.err, ".triphase"), "%s", refused.err);
    struct lab_result status = lab_run(lab, "-C", where, "status", NULL);
    cr_assert(eq(int, status.code, 0), "%s", status.err);
    remount(lab, "elsewhere", 0);
}
