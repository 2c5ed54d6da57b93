/* Pruning and merging beside a run that writes its rows: it is held up for moments, and loses nothing. */
#include "store/maintain.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "unit/hostile.h"
#include "unit/record.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TestSuite(store_beside, .timeout = 120, .fini = hostile_clean);

static const char old[] = "01890000-0000-7000-8000-000000000001",
                  young[] = "01890000-0000-7000-8000-000000000002",
                  kept[] = "01890000-0000-7000-8000-000000000003";

enum { MANY = 100000, FEWER = 24000, WORDS = 4000, AT_ONCE = 20 };

struct other {
    const char *path;
    pthread_t thread;
    atomic_bool stop;
    int written;
    int64_t began_ns, longest_ns;
};

/* Another process's run: some rows a transaction and a moment between them, of words that only
 * the pruned run had used. */
static void *write_rows(void *context)
{
    struct other *other = context;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_SQL *db = NULL;
    struct store_appender *appender;
    cr_assert_eq(sql_open(other->path, SQL_WRITE, 10000, &db, &err), 0, "%s", error_text(&err));
    cr_assert_eq(store_appender_new(db, &appender, &err), 0, "%s", error_text(&err));
    while (!atomic_load(&other->stop)) {
        int64_t before = moment_monotonic();
        cr_assert(sql_begin(db, &err) == 0 && store_appender_begin(appender, &err) == 0, "%s",
                  error_text(&err));
        for (int i = 0; i < AT_ONCE; i++, other->written++) {
            AUTO_FREE char *word = xasprintf("word %d", other->written % WORDS + 1);
            struct event event = rows_task(young, 1, "r", word, "ok");
            cr_assert_eq(store_appender_put(appender, &event, &err), 0, "%s", error_text(&err));
        }
        cr_assert_eq(sql_commit(db, &err), 0, "%s", error_text(&err));
        int64_t took = moment_monotonic() - before;
        other->longest_ns = took > other->longest_ns ? took : other->longest_ns;
        nanosleep(&(struct timespec){.tv_nsec = 5 * NS_PER_MS}, NULL);
    }
    store_appender_free(appender);
    return NULL;
}

static void begin(struct record *record, struct other *other)
{
    *other = (struct other){.path = record->path, .began_ns = moment_monotonic()};
    struct event event = rows_run(EVENT_RUN_BEGIN, young, moment_wall());
    event.of_run.target = "other";
    record_put(record, &event);
    event = rows_step(EVENT_STEP_BEGIN, young, 1);
    record_put(record, &event);
    cr_assert_eq(pthread_create(&other->thread, NULL, write_rows, other), 0);
}

static void end(struct record *record, struct other *other)
{
    AUTO_WORDS findings = WORDS_INIT;
    AUTO_FREE char *summary = NULL;
    AUTO_ERROR err = ERROR_INIT;
    atomic_store(&other->stop, true);
    pthread_join(other->thread, NULL);
    /* Of many pieces none takes a third of the whole, however slow this machine is at the moment. */
    int64_t most = (moment_monotonic() - other->began_ns) / 3;
    most = most > NS_PER_S / 2 ? most : NS_PER_S / 2;
    cr_expect_lt(other->longest_ns, most, "it was held up for %.2f s", (double)other->longest_ns / 1e9);
    cr_expect_eq(
        record_number(record, "SELECT count(*) FROM task JOIN step ON step.number = task.step JOIN run ON"
                              " run.number = step.run JOIN name ON name.number = task.task WHERE run.target ="
                              " 'other' AND text = 'word ' || ((task.seq - 1) % 4000 + 1)"),
        other->written, "words that it used are gone, or are others");
    cr_assert_eq(store_check(record->path, &findings, &summary, &err), 0, "%s", error_text(&err));
    cr_expect_eq(findings.count, 0, "%s", words_argv(&findings)[0]);
}

/* A run with many tasks, of words of its own or of one, and half as many events. */
static void put_large(struct record *record, const char *id, int words, int tasks)
{
    AUTO_ERROR err = ERROR_INIT;
    record_whole(record, id, 1, 2);
    struct event event = rows_task(id, 1, "r", "word", "ok");
    record_put(record, &event);
    AUTO_FREE char *many =
        xasprintf("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
                  " INSERT OR IGNORE INTO name (number, text) SELECT 1000 + i, 'word ' || i FROM n;"
                  " WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
                  " INSERT INTO task SELECT step, i, host, play, role, 1001 + i %% %d, path, action, status,"
                  " flags, items, started_ns, duration_ns, message FROM n, (SELECT * FROM task WHERE step ="
                  " (SELECT max(number) FROM step));"
                  " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
                  " INSERT INTO event (run, step, at_ns, kind, detail) SELECT (SELECT max(number) FROM run),"
                  " 1, i, 'retry', '{}' FROM n;",
                  words, tasks, words, tasks / 2);
    cr_assert_eq(sql_run(record->db, many, &err), 0, "%s", error_text(&err));
}

Test(store_beside, a_run_writes_on_while_a_large_one_is_pruned_and_loses_no_word)
{
    struct record record = record_start();
    struct other other;
    struct store_pruned pruned;
    AUTO_ERROR err = ERROR_INIT;
    put_large(&record, old, WORDS, MANY);
    put_large(&record, kept, 1, MANY);
    for (int i = 0; i < 19; i++) {
        AUTO_FREE char *id = xasprintf("01890000-0000-7000-8001-%012x", (unsigned)i);
        record_whole(&record, id, moment_wall(), 2);
    }
    begin(&record, &other);
    cr_expect_eq(store_prune(record.path, record.state, moment_wall() - 86400 * NS_PER_S, &pruned, &err), 0,
                 "%s", error_text(&err));
    cr_expect_eq(pruned.runs, 1);
    end(&record, &other);
    record_end(&record);
}

/* Removes what the store holds, so that it can be merged into it. */
static void move_away(struct record *record, const char *path)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(store_export(record->path, path, &err), 0, "%s", error_text(&err));
    cr_assert_eq(sql_run(record->db, "DELETE FROM run; DELETE FROM name", &err), 0, "%s", error_text(&err));
}

Test(store_beside, a_run_writes_on_while_a_large_one_is_merged)
{
    struct record record = record_start();
    struct other other;
    struct store_merged merged;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *path = hostile_path("other.db");
    put_large(&record, old, WORDS, 2 * MANY);
    move_away(&record, path);
    begin(&record, &other);
    cr_expect_eq(store_merge(record.path, path, &merged, &err), 0, "%s", error_text(&err));
    cr_expect_eq(merged.runs, 1);
    end(&record, &other);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM slowest_task WHERE run LIKE '%1'"), 2 * MANY);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM event JOIN run ON run.number = event.run"),
                 MANY);
    record_end(&record);
}

/* SQLite's connections do not stand a fork. */
static pid_t start_merge(struct record *record, const char *from)
{
    AUTO_ERROR err = ERROR_INIT;
    store_appender_free(record->appender);
    sql_close(record->db);
    pid_t child = fork();
    if (child == 0) {
        struct store_merged merged;
        _exit(store_merge(record->path, from, &merged, NULL) < 0);
    }
    cr_assert_eq(sql_open(record->path, SQL_WRITE, 5000, &record->db, &err), 0, "%s", error_text(&err));
    cr_assert_eq(store_appender_new(record->db, &record->appender, &err), 0, "%s", error_text(&err));
    return child;
}

static void expect_sound(const char *path)
{
    AUTO_WORDS findings = WORDS_INIT;
    AUTO_FREE char *summary = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(store_check(path, &findings, &summary, &err), 0, "%s", error_text(&err));
    cr_expect_eq(findings.count, 0, "%s", words_argv(&findings)[0]);
}

Test(store_beside, of_a_merge_that_is_killed_no_half_run_is_seen_and_the_next_one_brings_it)
{
    struct record record = record_start();
    struct store_merged merged;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *path = hostile_path("other.db");
    put_large(&record, old, WORDS, FEWER);
    move_away(&record, path);
    pid_t child = start_merge(&record, path);
    int64_t first = 0;
    for (int64_t until = moment_monotonic() + 60 * NS_PER_S;
         !(first = record_number(&record, "SELECT count(*) FROM event")) && moment_monotonic() < until;)
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    cr_assert_eq(kill(child, SIGKILL), 0);
    int end;
    cr_assert(waitpid(child, &end, 0) == child && WIFSIGNALED(end), "it was over before it was killed");
    cr_expect(first > 0 && first < FEWER / 2, "its events come piece by piece: %lld", (long long)first);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM task"), FEWER);

    cr_expect_eq(record_number(&record, "SELECT count(*) FROM run"), 0);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM slowest_task"), 0);
    expect_sound(record.path);
    record_whole(&record, young, 1, 2); /* a run of this machine, meanwhile */
    struct event event = rows_task(young, 1, "r", "word", "ok");
    record_put(&record, &event);

    cr_expect_eq(store_merge(record.path, path, &merged, &err), 0, "%s", error_text(&err));
    cr_expect(merged.runs == 1 && merged.known == 0);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM slowest_task WHERE run LIKE '%1'"), FEWER);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM task"), FEWER + 1,
                 "rows of the half run are left");
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM event WHERE run = (SELECT number FROM run WHERE"
                                        " merged)"),
                 FEWER / 2);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM event"), FEWER / 2,
                 "events of the half run are left");
    expect_sound(record.path);
    record_end(&record);
}

Test(store_beside, a_run_writes_on_while_another_store_is_merged)
{
    struct record record = record_start();
    struct other other;
    struct store_merged merged;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *path = hostile_path("other.db");
    for (int i = 0; i < 20; i++) {
        AUTO_FREE char *id = xasprintf("01890000-0000-7000-8001-%012x", (unsigned)i);
        put_large(&record, id, WORDS, 4000);
    }
    move_away(&record, path);
    begin(&record, &other);
    cr_expect_eq(store_merge(record.path, path, &merged, &err), 0, "%s", error_text(&err));
    cr_expect_eq(merged.runs, 20);
    end(&record, &other);
    record_end(&record);
}

/* ---- without a WAL a reader keeps writers out ---- */

struct looked {
    pid_t child;
    char *made;     /* the file that it writes what it reads to; NULL: none */
    int64_t length; /* of the store */
};

static int64_t bytes_read(pid_t pid)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/io", (int)pid);
    AUTO_TEXT text = TEXT_INIT;
    cr_assert_eq(file_read(path, 4096, &text, NULL), 0);
    const char *at = strstr(text_string(&text), "rchar: ");
    return at ? strtoll(at + strlen("rchar: "), NULL, 10) : 0;
}

/* It is in the midst of it: it writes what it has read, or has read more than the store is long. */
static bool is_at_it(const struct looked *looked)
{
    struct stat made;
    return looked->made ? stat(looked->made, &made) == 0 && made.st_size > 0
                        : bytes_read(looked->child) > 2 * looked->length;
}

/* Does `look` in a process of its own, and stops that in the midst of it. Then nobody is in the
 * way of a run that writes. */
static void expect_no_lock(void (*look)(const char *path), const char *made)
{
    struct record record = record_start();
    struct looked looked = {.made = made ? xasprintf("%s%s", record.path, made) : NULL};
    AUTO_ERROR err = ERROR_INIT;
    put_large(&record, old, WORDS, FEWER);
    cr_assert_eq(sql_run(record.db, "PRAGMA journal_mode = DELETE", &err), 0, "%s", error_text(&err));
    cr_assert_eq(record_number(&record, "SELECT journal_mode = 'delete' FROM pragma_journal_mode"), 1);
    struct stat file;
    cr_assert_eq(stat(record.path, &file), 0);
    looked.length = file.st_size;
    store_appender_free(record.appender);
    sql_close(record.db);
    looked.child = fork();
    if (looked.child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also where it is stopped */
        look(record.path);
        _exit(0);
    }
    while (waitpid(looked.child, NULL, WNOHANG) == 0 && !is_at_it(&looked))
        continue;
    cr_assert_eq(kill(looked.child, SIGSTOP), 0, "it was over before it was looked at");
    int state;
    cr_assert(waitpid(looked.child, &state, WUNTRACED) == looked.child && WIFSTOPPED(state));
    cr_assert_eq(sql_open(record.path, SQL_WRITE, 0, &record.db, &err), 0, "%s", error_text(&err));
    cr_assert_eq(store_appender_new(record.db, &record.appender, &err), 0, "%s", error_text(&err));

    cr_expect_eq(sql_run(record.db, "UPDATE run SET message = 'written meanwhile'", &err), 0, "%s",
                 error_text(&err));

    cr_assert(kill(looked.child, SIGCONT) == 0 && waitpid(looked.child, &state, 0) == looked.child);
    cr_expect(WIFEXITED(state) && WEXITSTATUS(state) == 0);
    free(looked.made);
    record_end(&record);
}

static void look_at_all(const char *path)
{
    AUTO_WORDS findings = WORDS_INIT;
    AUTO_FREE char *summary = NULL;
    if (store_check(path, &findings, &summary, NULL) < 0 || findings.count)
        _exit(1);
}

Test(store_beside, a_run_writes_on_while_a_store_without_a_wal_is_checked)
{
    expect_no_lock(look_at_all, NULL);
}

static void take_along(const char *path)
{
    AUTO_FREE char *to = xasprintf("%s.taken", path);
    if (store_export(path, to, NULL) < 0)
        _exit(1);
}

Test(store_beside, a_run_writes_on_while_a_store_without_a_wal_is_exported)
{
    expect_no_lock(take_along, ".taken");
}

static void take_over(const char *path)
{
    AUTO_FREE char *to = xasprintf("%s.other", path);
    struct store_merged merged;
    if (store_merge(to, path, &merged, NULL) < 0)
        _exit(1);
}

Test(store_beside, a_run_writes_on_while_a_store_without_a_wal_is_merged_elsewhere)
{
    expect_no_lock(take_over, ".other.merge");
}
