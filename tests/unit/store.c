/* The writing half of the store: what is committed stays, nothing is lost, nobody waits without a bound,
 * and a newer store is left alone. */
#include "store/store.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "event/sink.h"
#include "format/sql.h"
#include "store/history.h"
#include "store/schema.h"
#include "unit/hostile.h"
#include "unit/record.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(store, .timeout = 60, .fini = hostile_clean);

static struct store_writer *start_writer(const char *path)
{
    AUTO_ERROR err = ERROR_INIT;
    struct store_writer *writer;
    cr_assert_eq(store_writer_start(path, &writer, &err), 0, "%s", error_text(&err));
    return writer;
}

/* Waits on the eventfd until the ticket is committed or writing failed. */
static bool wait_committed(struct store_writer *writer, uint64_t ticket, int bound_ms)
{
    int64_t until = moment_monotonic() + bound_ms * NS_PER_MS;
    while (store_writer_committed(writer) < ticket && !store_writer_failure(writer) &&
           moment_monotonic() < until) {
        struct pollfd fd = {.fd = store_writer_notify_fd(writer), .events = POLLIN};
        poll(&fd, 1, bound_ms);
    }
    return store_writer_committed(writer) >= ticket;
}

static uint64_t put(struct store_writer *writer, struct event event)
{
    return store_writer_put(writer, &event);
}

Test(store, is_made_private_in_wal_with_strict_tables_and_the_documented_columns)
{
    struct record record = record_start();
    struct stat file;
    cr_assert_eq(stat(record.path, &file), 0);
    cr_expect_eq(file.st_mode & 0777, 0600);
    cr_expect_eq(
        record_number(&record, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"), 1);
    cr_expect_eq(
        record_number(
            &record,
            "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict"
            " AND name NOT LIKE 'sqlite_%'"),
        0);
    cr_expect_eq(record_number(&record, "PRAGMA foreign_keys"), 1);
    static const struct {
        const char *view, *columns;
    } faces[] = {
        {"phase_timing",
         "run,target,step,attempt,transport,fresh,ansible,outcome,started_ns,duration_ns,accelerated"},
        {"unreachable", "run,step,at_ns,host,task,cause,cause_source,message,ignored,transport"},
        {"slowest_task", "run,step,host,role,task,path,duration_ns"},
        {"role_timing", "run,step,host,role,tasks,duration_ns"},
        {"health_window", "run,target,from_ns,to_ns,healthy"},
        {"diagnosed", "diagnosis,target,node,size,started_ns,duration_ns,variable,transport,sure"},
        {"diagnosed_cell", "diagnosis,at_ns,transport,client,work,parameters,ok,ended,duration_ns,last_good_"
                           "ns,bytes,stalls,path"},
        {"path_sample", "run,step,attempt,transport,at_ns,after_ns,direct,detail"},
    };
    for (size_t i = 0; i < COUNT_OF(faces); i++) {
        AUTO_FREE char *query =
            xasprintf("SELECT (SELECT group_concat(name) FROM pragma_table_info('%s')) = '%s'", faces[i].view,
                      faces[i].columns);
        cr_expect_eq(record_number(&record, query), 1, "%s", faces[i].view);
    }
    record_end(&record);
}

Test(store, preparing_twice_changes_nothing)
{
    struct record record = record_start();
    char id[ID_SIZE];
    id_make(id);
    record_whole(&record, id, 1, 2);
    AUTO_ERROR err = ERROR_INIT;
    cr_expect_eq(store_prepare(record.path, &err), 0, "%s", error_text(&err));
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM run"), 1);
    record_end(&record);
}

static void expect_untouched(const char *path, const char *reason)
{
    AUTO_TEXT before = TEXT_INIT, after = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *wal = xasprintf("%s-wal", path);
    cr_assert_eq(file_read(path, 1 << 22, &before, NULL), 0);
    cr_expect_eq(store_prepare(path, &err), -1);
    cr_expect_eq(err.kind, ERROR_STORE);
    cr_expect(strstr(error_text(&err), reason), "%s", error_text(&err));
    cr_assert_eq(file_read(path, 1 << 22, &after, NULL), 0);
    cr_expect(before.length == after.length && memcmp(before.bytes, after.bytes, after.length) == 0,
              "the file changed");
    cr_expect_not(file_exists(wal), "something was left beside it");
}

/* As the first version wrote it. */
Test(store, one_of_the_first_version_is_brought_up_to_date_with_all_its_rows)
{
    AUTO_FREE char *path = hostile_path("old.db");
    AUTO_SQL *db = NULL;
    AUTO_ERROR err = ERROR_INIT;
    int64_t number;
    cr_assert_eq(sql_open(path, SQL_CREATE, 100, &db, &err), 0, "%s", error_text(&err));
    cr_assert_eq(sql_run(db, store_migration(0), &err), 0, "%s", error_text(&err));
    AUTO_FREE char *rows =
        xasprintf("PRAGMA application_id = %d; PRAGMA user_version = 1;"
                  " INSERT INTO run (id, kind, target, partial, fresh, started_ns)"
                  " VALUES ('r', 'create', 'vault', 0, 1, 5);"
                  " INSERT INTO machine (id, target, provider, made_ns, removed_ns, record)"
                  " VALUES ('a', 'vault', 'sandbox', 1, 0, '{}'), ('b', 'vault', 'sandbox', 1, 0, '{}')",
                  STORE_APPLICATION);
    cr_assert_eq(sql_run(db, rows, &err), 0, "%s", error_text(&err));
    sql_close(TAKE(db));
    cr_assert_eq(store_prepare(path, &err), 0, "%s", error_text(&err));
    cr_assert_eq(history_open(path, &db, &err), 0, "%s", error_text(&err));
    cr_assert_eq(sql_query_integer(db,
                                   "SELECT count(*) FROM run WHERE merged = 0 AND fresh = 1"
                                   " AND verdict IS NULL AND seen IS NULL",
                                   0, &number, &err),
                 0);
    cr_expect_eq(number, 1, "what decided then is not known");
    cr_assert_eq(sql_query_integer(db, "SELECT number FROM machine WHERE id = 'b'", 0, &number, &err), 0);
    cr_expect_eq(number, 2, "what was the newest one by its id is the newest one");
    cr_assert_eq(sql_query_integer(db, "SELECT max(expires_ns) FROM machine", 0, &number, &err), 0);
    cr_expect_eq(number, 0, "none of them ever expires");
    cr_assert_eq(sql_query_integer(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'run_group'", 0,
                                   &number, &err),
                 0);
    cr_expect_eq(number, 1, "the index of cycles");
}

Test(store, one_of_a_newer_triphase_is_refused_and_stays_byte_for_byte)
{
    struct record record = record_start();
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(sql_run(record.db, "PRAGMA user_version = 99", &err), 0);
    AUTO_FREE char *path = xstrdup(record.path);
    record_end(&record);
    expect_untouched(path, "newer triphase");
}

Test(store, runs_of_an_older_store_on_a_static_host_lose_the_word_fresh)
{
    AUTO_FREE char *path = hostile_path("older.db");
    AUTO_FREE char *stamp =
        xasprintf("PRAGMA application_id = %d; PRAGMA user_version = 1", STORE_APPLICATION);
    AUTO_SQL *db = NULL;
    AUTO_ERROR err = ERROR_INIT;
    int64_t fresh = -1;
    cr_assert_eq(sql_open(path, SQL_CREATE, 100, &db, NULL), 0);
    cr_assert(sql_run(db, store_migration(0), &err) == 0 && sql_run(db, stamp, &err) == 0 &&
                  sql_run(db,
                          "INSERT INTO run (id, kind, target, provider, partial, fresh, started_ns) VALUES"
                          " ('a', 'create', 'box', 'static', 0, 1, 1), ('b', 'create', 'web', 'sandbox', 0,"
                          " 1, 2), ('c', 'run', 'web', 'sandbox', 0, 0, 3)",
                          &err) == 0,
              "%s", error_text(&err));
    sql_close(TAKE(db));
    cr_assert_eq(store_prepare(path, &err), 0, "%s", error_text(&err));
    cr_assert_eq(sql_open(path, SQL_READ, 100, &db, NULL), 0);
    cr_assert_eq(sql_query_integer(db, "SELECT count(*) FROM run WHERE fresh AND provider = 'sandbox'", 0,
                                   &fresh, &err),
                 0);
    cr_expect_eq(fresh, 1);
    cr_assert_eq(sql_query_integer(db, "SELECT count(*) FROM run WHERE fresh", 0, &fresh, &err), 0);
    cr_expect_eq(fresh, 1);
}

Test(store, a_database_of_another_program_is_refused_and_stays_byte_for_byte)
{
    AUTO_FREE char *path = hostile_path("other.db");
    AUTO_SQL *db = NULL;
    cr_assert_eq(sql_open(path, SQL_CREATE, 100, &db, NULL), 0);
    cr_assert_eq(sql_run(db, "CREATE TABLE mine (a)", NULL), 0);
    sql_close(TAKE(db));
    expect_untouched(path, "no store of triphase");
}

Test(store, begin_and_end_are_committed_before_the_next_thing_and_tasks_soon)
{
    struct record record = record_start();
    struct store_writer *writer = start_writer(record.path);
    char id[ID_SIZE];
    id_make(id);
    uint64_t ticket = put(writer, rows_run(EVENT_RUN_BEGIN, id, 5));
    cr_expect_eq(ticket, 1);
    cr_assert(wait_committed(writer, ticket, 5000), "%s", store_writer_failure(writer));
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM run WHERE outcome IS NULL"), 1,
                 "another connection sees it");
    ticket = put(writer, rows_step(EVENT_STEP_BEGIN, id, 1));
    cr_assert(wait_committed(writer, ticket, 5000));
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM step WHERE outcome IS NULL"), 1);
    int64_t start = moment_monotonic();
    ticket = put(writer, rows_task(id, 1, "r", "T", "ok"));
    cr_assert(wait_committed(writer, ticket, 5000));
    cr_expect(hostile_is_instrumented() || moment_monotonic() - start < 500 * NS_PER_MS,
              "a task waits for company, but not long");
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM task"), 1);
    put(writer, rows_step(EVENT_STEP_END, id, 1));
    put(writer, rows_run(EVENT_RUN_END, id, 5));
    AUTO_ERROR err = ERROR_INIT;
    cr_expect_eq(store_writer_stop(writer, 5 * NS_PER_S, &err), 0, "%s", error_text(&err));
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM run JOIN step ON step.run = run.number WHERE"
                                        " run.outcome = 'ok' AND step.outcome = 'ok'"),
                 1);
    record_end(&record);
}

Test(store, a_flood_arrives_whole_and_in_order)
{
    enum { COUNT = 20000 };
    struct record record = record_start();
    struct store_writer *writer = start_writer(record.path);
    char id[ID_SIZE], task[32];
    AUTO_ERROR err = ERROR_INIT;
    id_make(id);
    put(writer, rows_run(EVENT_RUN_BEGIN, id, 5));
    put(writer, rows_step(EVENT_STEP_BEGIN, id, 1));
    for (int i = 1; i <= COUNT; i++) {
        /* More words than are remembered at once. */
        snprintf(task, sizeof task, "task %d", i % 3000);
        struct event event = rows_task(id, 1, NULL, task, "ok");
        event.task.items = i;
        event.event_bytes = i * 100;
        put(writer, event);
        memset(task, 'x', sizeof task - 1); /* the writer has a copy of its own */
    }
    cr_expect_eq(store_writer_stop(writer, 30 * NS_PER_S, &err), 0, "%s", error_text(&err));
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM task WHERE seq = items"), COUNT);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM task JOIN name ON name.number = task.task"
                                        " WHERE name.text = 'task ' || (task.items % 3000)"),
                 COUNT);
    cr_expect_eq(record_number(&record, "SELECT event_bytes FROM step"), COUNT * 100);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM name WHERE text LIKE 'task %'"), 3000);
    record_end(&record);
}

/* What was said to be committed is there, and how far the event file was read fits the rows exactly, at
 * whatever instant the writer is killed. */
Test(store, killing_the_writer_at_any_instant_loses_no_committed_row)
{
    for (int round = 0; round < 12; round++) {
        AUTO_FREE char *state = hostile_path("killed");
        AUTO_FREE char *path = file_join(state, "store.db");
        AUTO_ERROR err = ERROR_INIT;
        cr_assert_eq(file_make_dirs(state, 0700, NULL), 0);
        cr_assert_eq(store_prepare(path, &err), 0, "%s", error_text(&err));
        int ends[2];
        cr_assert_eq(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            char id[ID_SIZE];
            struct store_writer *writer;
            id_make(id);
            if (store_writer_start(path, &writer, NULL) < 0)
                _exit(1);
            put(writer, rows_run(EVENT_RUN_BEGIN, id, 5));
            put(writer, rows_step(EVENT_STEP_BEGIN, id, 1));
            for (int64_t i = 1;; i++) {
                struct event event = rows_task(id, 1, NULL, "T", "ok");
                event.event_bytes = i * 10;
                uint64_t ticket = put(writer, event), done = store_writer_committed(writer);
                if (ticket % 64 == 0 && write(ends[1], &done, sizeof done) < 0)
                    _exit(1);
                if (ticket > done + 2000)
                    usleep(200);
            }
        }
        close(ends[1]);
        uint64_t told = 0, last = 0;
        for (int i = 0; i < 20 + round * 30 && read(ends[0], &told, sizeof told) == sizeof told; i++)
            last = told;
        kill(child, SIGKILL);
        while (read(ends[0], &told, sizeof told) == sizeof told)
            last = told;
        waitpid(child, NULL, 0);
        close(ends[0]);
        AUTO_SQL *db = NULL;
        int64_t rows, bytes, sound;
        cr_assert_eq(sql_open(path, SQL_READ, 1000, &db, &err), 0, "%s", error_text(&err));
        cr_assert_eq(sql_query_integer(db, "SELECT count(*) FROM task", 0, &rows, &err), 0, "%s",
                     error_text(&err));
        cr_assert_eq(sql_query_integer(db, "SELECT event_bytes FROM step", 0, &bytes, &err), 0, "%s",
                     error_text(&err));
        cr_assert_eq(
            sql_query_integer(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'",
                              0, &sound, &err),
            0);
        cr_expect_eq(sound, 1);
        cr_expect_geq(rows + 2, (int64_t)last, "round %d: %lld rows, %llu tickets were committed", round,
                      (long long)rows, (unsigned long long)last);
        cr_expect_eq(bytes, rows * 10, "the rows are %lld, the bytes read %lld", (long long)rows,
                     (long long)bytes);
        sql_close(TAKE(db));
        file_remove_tree(state, NULL);
    }
}

/* A reader looks between the writer's commits as often as it can: what a kill at that instant would leave
 * is what it sees. */
Test(store, rows_and_how_far_the_event_file_was_read_are_never_seen_apart)
{
    struct record record = record_start();
    struct store_writer *writer = start_writer(record.path);
    char id[ID_SIZE];
    AUTO_ERROR err = ERROR_INIT;
    id_make(id);
    put(writer, rows_run(EVENT_RUN_BEGIN, id, 5));
    uint64_t ticket = put(writer, rows_step(EVENT_STEP_BEGIN, id, 1));
    cr_assert(wait_committed(writer, ticket, 5000));
    AUTO_STATEMENT *query = NULL;
    cr_assert_eq(
        sql_prepare(
            record.db,
            "SELECT (SELECT coalesce(max(seq), 0) FROM task WHERE step = 1) * 10 - event_bytes FROM step",
            &query, &err),
        0);
    int64_t until = moment_monotonic() + 1500 * NS_PER_MS, apart = 0, i = 0;
    while (moment_monotonic() < until && !apart) {
        for (int k = 0; k < 5; k++) {
            struct event event = rows_task(id, 1, NULL, "T", "ok");
            event.event_bytes = ++i * 10;
            put(writer, event);
        }
        for (int k = 0; k < 50 && !apart; k++) {
            cr_assert_eq(sql_step(query, &err), 1, "%s", error_text(&err));
            apart = sql_integer(query, 0);
            sql_reset(query);
        }
    }
    sql_finish(TAKE(query));
    cr_expect_eq(apart, 0, "%lld bytes", (long long)apart);
    cr_expect_eq(store_writer_stop(writer, 5 * NS_PER_S, &err), 0, "%s", error_text(&err));
    record_end(&record);
}

Test(store, a_full_disk_ends_writing_with_the_reason_and_what_was_committed_stays)
{
    struct record record = record_start();
    struct store_writer *writer = start_writer(record.path);
    char id[ID_SIZE];
    AUTO_ERROR err = ERROR_INIT;
    id_make(id);
    put(writer, rows_run(EVENT_RUN_BEGIN, id, 5));
    uint64_t ticket = put(writer, rows_step(EVENT_STEP_BEGIN, id, 1));
    cr_assert(wait_committed(writer, ticket, 5000));
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {.rlim_cur = 256 * 1024, .rlim_max = RLIM_INFINITY};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    char message[2000];
    memset(message, 'm', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    uint64_t last = 0;
    for (int i = 0; i < 1000; i++) {
        struct event event = rows_task(id, 1, NULL, "T", "failed");
        event.task.message = message;
        last = put(writer, event);
    }
    cr_expect_not(wait_committed(writer, last, 10000));
    cr_expect(store_writer_failure(writer) && strstr(store_writer_failure(writer), record.path), "%s",
              store_writer_failure(writer) ? store_writer_failure(writer) : "no failure");
    uint64_t committed = store_writer_committed(writer);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    put(writer, rows_step(EVENT_STEP_END, id, 1));
    cr_expect_eq(store_writer_stop(writer, 5 * NS_PER_S, &err), -1,
                 "writing stays ended, also when there is room again");
    cr_expect_eq(err.kind, ERROR_STORE);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM step WHERE outcome IS NULL"), 1);
    cr_expect_geq(record_number(&record, "SELECT count(*) FROM task") + 2, (int64_t)committed);
    cr_expect_eq(record_number(&record,
                               "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
                 1);
    record_end(&record);
}

/* Longer than any wait that other commands have for it. */
Test(store, another_process_with_the_lock_delays_what_is_written_and_ends_nothing)
{
    struct record record = record_start();
    struct store_writer *writer = start_writer(record.path);
    char id[ID_SIZE];
    AUTO_ERROR err = ERROR_INIT;
    id_make(id);
    cr_assert_eq(sql_begin(record.db, &err), 0);
    int64_t start = moment_monotonic();
    uint64_t ticket = put(writer, rows_run(EVENT_RUN_BEGIN, id, 5));
    cr_expect(moment_monotonic() - start < NS_PER_S, "putting never waits for the disk");
    cr_expect_not(wait_committed(writer, ticket, 12000));
    cr_assert_null(store_writer_failure(writer), "%s", store_writer_failure(writer));
    cr_expect(store_writer_is_held(writer));
    sql_rollback(record.db);
    cr_expect(wait_committed(writer, ticket, 2000));
    cr_expect_not(store_writer_is_held(writer));
    cr_expect_eq(store_writer_stop(writer, NS_PER_S, &err), 0, "%s", error_text(&err));
    record_end(&record);
}

/* The bound counts for one lock, however often there is one. */
Test(store, another_process_that_keeps_the_lock_is_waited_for_to_the_writers_bound_and_named)
{
    struct record record = record_start();
    struct store_writer *writer = start_writer(record.path);
    char id[ID_SIZE];
    AUTO_ERROR err = ERROR_INIT;
    id_make(id);
    store_writer_hurry(writer, 2 * NS_PER_S);
    cr_assert_eq(sql_begin(record.db, &err), 0);
    uint64_t ticket = put(writer, rows_run(EVENT_RUN_BEGIN, id, 5));
    cr_expect_not(wait_committed(writer, ticket, 1200));
    sql_rollback(record.db);
    cr_assert(wait_committed(writer, ticket, 10000));
    cr_assert_eq(sql_begin(record.db, &err), 0);
    int64_t start = moment_monotonic();
    cr_expect_not(wait_committed(writer, put(writer, rows_step(EVENT_STEP_BEGIN, id, 1)), 20000));
    int64_t took = moment_monotonic() - start;
    cr_expect(took >= 2 * NS_PER_S && took < 8 * NS_PER_S, "%.1f s", (double)took / 1e9);
    const char *why = store_writer_failure(writer);
    cr_expect(why && strstr(why, "database is locked; another process holds it"), "%s", why ? why : "none");
    sql_rollback(record.db);
    cr_expect_eq(store_writer_stop(writer, NS_PER_S, &err), -1);
    record_end(&record);
}

/* Another process gives the lock back after a while, and the disk takes what was behind it a while later. */
struct late {
    struct record *record;
    int holder, given_back_s, taken_ms;
    atomic_bool over;
};

static void *be_late(void *context)
{
    struct late *late = context;
    nanosleep(&(struct timespec){.tv_sec = late->given_back_s}, NULL);
    sql_rollback(late->record->db);
    nanosleep(&(struct timespec){late->taken_ms / 1000, late->taken_ms % 1000 * NS_PER_MS}, NULL);
    while (!atomic_load(&late->over))
        hostile_let(late->holder, 100);
    return NULL;
}

/* The bound is over before it is written, but not since the lock came back. */
Test(store, what_is_stopped_behind_another_process_is_written_all_the_same)
{
    struct record record = record_start();
    struct late late = {
        .record = &record, .holder = hostile_hold(SYS_pwrite64), .given_back_s = 2, .taken_ms = 1500};
    struct store_writer *writer = start_writer(record.path);
    char id[ID_SIZE];
    AUTO_ERROR err = ERROR_INIT;
    pthread_t other;
    id_make(id);
    cr_assert_eq(sql_begin(record.db, &err), 0);
    put(writer, rows_run(EVENT_RUN_BEGIN, id, 5));
    cr_assert_eq(pthread_create(&other, NULL, be_late, &late), 0);
    cr_expect_eq(store_writer_stop(writer, 3 * NS_PER_S, &err), 0, "%s", error_text(&err));
    atomic_store(&late.over, true);
    pthread_join(other, NULL);
    close(late.holder);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM run"), 1);
    record_end(&record);
}

extern const struct subscriber subscriber_store;
struct awaited {
    struct loop *loop;
    bool committed;
    const char *failure;
};

static void on_answer(void *context, bool committed, const char *failure)
{
    struct awaited *awaited = context;
    awaited->committed = committed;
    awaited->failure = failure;
    loop_stop(awaited->loop);
}

/* It is looked at every 10 s whether the writer gets on. */
Test(store, a_lock_that_comes_back_just_before_a_commit_would_have_failed_ends_nothing)
{
    struct record record = record_start();
    struct late late = {
        .record = &record, .holder = hostile_hold(SYS_pwrite64), .given_back_s = 9, .taken_ms = 2000};
    struct awaited awaited = {0};
    const struct subscriber *const rows[] = {&subscriber_store};
    const struct subscriber_place place = {.store = record.path};
    struct sink *sink;
    char id[ID_SIZE];
    AUTO_ERROR err = ERROR_INIT;
    pthread_t other;
    id_make(id);
    cr_assert_eq(loop_new(&awaited.loop, &err), 0);
    cr_assert_eq(sink_open(awaited.loop, &place, rows, COUNT_OF(rows), &sink, &err), 0, "%s",
                 error_text(&err));
    cr_assert_eq(sql_begin(record.db, &err), 0);
    struct event event = rows_run(EVENT_RUN_BEGIN, id, 5);
    sink_commit(sink, &event, on_answer, &awaited);
    cr_assert_eq(pthread_create(&other, NULL, be_late, &late), 0);
    cr_assert_eq(loop_run(awaited.loop, &err), 0);
    cr_expect(awaited.committed, "%s", awaited.failure);
    cr_expect_eq(sink_close(sink, &err), 0, "%s", error_text(&err));
    atomic_store(&late.over, true);
    pthread_join(other, NULL);
    close(late.holder);
    loop_free(awaited.loop);
    record_end(&record);
}

/* What waits for a slow disk is limited, what waits for another process is not:
 * that has an end of its own. */
Test(store, more_than_a_queue_holds_behind_another_process_ends_nothing_and_is_written)
{
    struct record record = record_start();
    struct store_writer *writer = start_writer(record.path);
    char id[ID_SIZE];
    AUTO_ERROR err = ERROR_INIT;
    id_make(id);
    AUTO_FREE char *message = xcalloc(1, 1 << 20);
    memset(message, 'm', (1 << 20) - 1);
    struct event event = rows_task(id, 1, NULL, "T", "failed");
    event.task.message = message;
    put(writer, rows_run(EVENT_RUN_BEGIN, id, 5));
    cr_assert(wait_committed(writer, put(writer, rows_step(EVENT_STEP_BEGIN, id, 1)), 10000));
    cr_assert_eq(sql_begin(record.db, &err), 0);
    cr_assert_not(wait_committed(writer, put(writer, event), 200));
    int64_t longest = 0;
    uint64_t last = 0;
    for (int i = 0; i < 80; i++) {
        int64_t before = moment_monotonic();
        last = put(writer, event);
        int64_t took = moment_monotonic() - before;
        longest = took > longest ? took : longest;
    }
    cr_expect_lt(longest, NS_PER_S / 2, "who watches the run waited for %.2f s", (double)longest / 1e9);
    cr_assert_null(store_writer_failure(writer), "%s", store_writer_failure(writer));
    sql_rollback(record.db);
    cr_expect(wait_committed(writer, last, 40000));
    cr_expect_eq(store_writer_stop(writer, 10 * NS_PER_S, &err), 0, "%s", error_text(&err));
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM task"), 81);
    record_end(&record);
}

struct disk {
    int holder;
    struct store_writer *writer;
    uint64_t until;
    pid_t caller;
};

static bool is_free(const void *writer)
{
    return !store_writer_is_held(writer);
}

/* Hangs until the caller waits, writes for as long as little is committed, and hangs again. */
static void *serve_disk(void *context)
{
    const struct disk *disk = context;
    cr_assert(hostile_wait(hostile_is_asleep, &disk->caller, 5000));
    while (store_writer_committed(disk->writer) < disk->until && !store_writer_failure(disk->writer))
        hostile_let(disk->holder, 100);
    return NULL;
}

/* Much is waited for, but not until all of it is written: only a writer that gets nowhere has failed. */
Test(store, a_full_queue_has_room_again_as_soon_as_some_of_it_is_written)
{
    /* Four of a block of 32 KiB, so 64 MiB hold 8192 of them. The first transaction has 4096. */
    enum { LONG = 7000, TASKS = 10000, FIRST = 4096, MORE = 1000 };
    struct record record = record_start();
    struct disk disk = {.holder = hostile_hold(SYS_pwrite64),
                        .writer = start_writer(record.path),
                        .caller = gettid()};
    char id[ID_SIZE], message[LONG];
    AUTO_ERROR err = ERROR_INIT;
    pthread_t serving;
    id_make(id);
    memset(message, 'm', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    struct event event = rows_task(id, 1, NULL, "T", "ok");
    event.task.message = message;
    cr_assert_eq(sql_begin(record.db, &err), 0);
    cr_assert_not(wait_committed(disk.writer, put(disk.writer, rows_run(EVENT_RUN_BEGIN, id, 5)), 200));
    put(disk.writer, rows_step(EVENT_STEP_BEGIN, id, 1));
    for (int i = 1; i <= TASKS; i++) {
        uint64_t ticket = put(disk.writer, event);
        if (i == FIRST)
            disk.until = ticket;
    }
    sql_rollback(record.db);
    cr_assert(hostile_wait(is_free, disk.writer, 5000));
    cr_assert_eq(pthread_create(&serving, NULL, serve_disk, &disk), 0);
    put(disk.writer, event); /* waits: there is no room */
    pthread_join(serving, NULL);

    /* The disk hangs again, and so no more than the first of it ever comes to be written. */
    for (int i = 0; i < MORE; i++)
        put(disk.writer, event);

    cr_expect_null(store_writer_failure(disk.writer), "%s", store_writer_failure(disk.writer));
    cr_expect_eq(store_writer_committed(disk.writer), disk.until);
    cr_expect_eq(store_writer_stop(disk.writer, 100 * NS_PER_MS, &err), -1, "the thread hangs in its disk");
    close(disk.holder);
    record_end(&record);
}

Test(store, a_full_queue_holds_a_caller_for_a_second_and_a_disk_that_writes_nothing_in_it_has_failed)
{
    struct record record = record_start();
    struct disk disk = {.holder = hostile_hold(SYS_pwrite64),
                        .writer = start_writer(record.path),
                        .caller = gettid()};
    char id[ID_SIZE], message[4096];
    AUTO_ERROR err = ERROR_INIT;
    pthread_t serving;
    id_make(id);
    memset(message, 'm', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    struct event event = rows_task(id, 1, NULL, "T", "ok");
    event.task.message = message;
    /* More than the queue holds, behind a transaction of two rows. */
    cr_assert_eq(sql_begin(record.db, &err), 0);
    cr_assert_not(wait_committed(disk.writer, put(disk.writer, rows_run(EVENT_RUN_BEGIN, id, 5)), 200));
    disk.until = put(disk.writer, rows_step(EVENT_STEP_BEGIN, id, 1));
    for (int i = 0; i < 20000; i++)
        put(disk.writer, event);
    sql_rollback(record.db);
    cr_assert(hostile_wait(is_free, disk.writer, 5000));
    cr_assert_eq(pthread_create(&serving, NULL, serve_disk, &disk), 0);

    int64_t begin = moment_monotonic();
    put(disk.writer, event);
    int64_t first = moment_monotonic() - begin;
    cr_expect_null(store_writer_failure(disk.writer), "it got on: %s", store_writer_failure(disk.writer));
    pthread_join(serving, NULL);
    begin = moment_monotonic();
    put(disk.writer, event);
    int64_t second = moment_monotonic() - begin;

    cr_expect(first < 3 * NS_PER_S && second > 900 * NS_PER_MS && second < 3 * NS_PER_S, "%.2f s, %.2f s",
              (double)first / 1e9, (double)second / 1e9);
    const char *why = store_writer_failure(disk.writer);
    cr_expect(why && strstr(why, "too slowly"), "%s", why ? why : "none");
    begin = moment_monotonic();
    cr_expect_eq(store_writer_stop(disk.writer, 100 * NS_PER_MS, &err), -1, "the thread hangs in its disk");
    cr_expect_lt(moment_monotonic() - begin, 3 * NS_PER_S);
    close(disk.holder);
    record_end(&record);
}

Test(store, an_event_of_no_known_run_or_step_is_an_error_not_a_lost_row)
{
    struct record record = record_start();
    char id[ID_SIZE];
    AUTO_ERROR err = ERROR_INIT;
    id_make(id);
    struct event event = rows_task(id, 1, NULL, "T", "ok");
    cr_expect_eq(store_appender_put(record.appender, &event, &err), -1);
    cr_expect(strstr(error_text(&err), id), "%s", error_text(&err));
    event = rows_run(EVENT_RUN_BEGIN, id, 5);
    record_put(&record, &event);
    event = rows_step(EVENT_STEP_END, id, 3);
    cr_expect_eq(store_appender_put(record.appender, &event, &err), -1);
    cr_expect(strstr(error_text(&err), "no step 3"), "%s", error_text(&err));
    record_end(&record);
}

/* The row of its begin is written before the process starts; a crash knows no other time. */
Test(store, the_end_of_a_step_says_when_its_process_began)
{
    struct record record = record_start();
    char id[ID_SIZE];
    id_make(id);
    struct event event = rows_run(EVENT_RUN_BEGIN, id, 5);
    record_put(&record, &event);
    for (int seq = 1; seq <= 2; seq++) {
        event = rows_step(EVENT_STEP_BEGIN, id, seq);
        event.of_step.started_ns = 100;
        event.of_step.started_monotonic_ns = 10;
        record_put(&record, &event);
        event = rows_step(EVENT_STEP_END, id, seq);
        event.of_step.started_ns = seq == 1 ? 700 : 0;
        event.of_step.started_monotonic_ns = seq == 1 ? 70 : 0;
        record_put(&record, &event);
    }
    cr_expect_eq(record_number(&record, "SELECT started_ns + started_monotonic_ns FROM step WHERE seq = 1"),
                 770);
    cr_expect_eq(record_number(&record, "SELECT started_ns + started_monotonic_ns FROM step WHERE seq = 2"),
                 110);
    record_end(&record);
}

Test(store, an_unreachable_line_that_is_read_again_adds_no_second_row)
{
    struct record record = record_start();
    char id[ID_SIZE];
    id_make(id);
    record_whole(&record, id, 1, 2);
    struct event event = {
        .kind = EVENT_UNREACHABLE, .run = id, .step = 1, .unreachable = {.host = "h", .at_ns = 7}};
    record_put(&record, &event);
    record_put(&record, &event);
    event.unreachable.host = "another";
    record_put(&record, &event);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM unreachable"), 2);
    record_end(&record);
}

/* Two processes, as two runs of one project are; one of them prunes words that the other remembers. */
Test(store, words_that_another_process_removed_are_written_again)
{
    struct record record = record_start();
    struct store_writer *writer = start_writer(record.path);
    char id[ID_SIZE];
    AUTO_ERROR err = ERROR_INIT;
    id_make(id);
    put(writer, rows_run(EVENT_RUN_BEGIN, id, 5));
    put(writer, rows_step(EVENT_STEP_BEGIN, id, 1));
    uint64_t ticket = put(writer, rows_task(id, 1, "r", "T", "ok"));
    cr_assert(wait_committed(writer, ticket, 5000));
    cr_assert_eq(
        sql_run(record.db,
                "DELETE FROM task; DELETE FROM name; INSERT INTO name (text) VALUES ('another word')", &err),
        0, "%s", error_text(&err));
    put(writer, rows_task(id, 1, "r", "T", "ok"));
    cr_expect_eq(store_writer_stop(writer, 5 * NS_PER_S, &err), 0, "%s", error_text(&err));
    cr_expect_eq(
        record_number(&record,
                      "SELECT count(*) FROM task JOIN name ON name.number = task.task WHERE name.text = 'T'"),
        1);
    record_end(&record);
}

Test(store, a_machine_survives_the_queue_whole)
{
    struct record record = record_start();
    struct store_writer *writer = start_writer(record.path);
    AUTO_MACHINE *machine = machine_new();
    AUTO_ERROR err = ERROR_INIT;
    machine->id = xstrdup("01890000-0000-7000-8000-0123456789ab");
    machine->target = xstrdup("vault");
    machine->provider = xstrdup("sandbox");
    machine->address = xstrdup("10.1.2.3");
    machine->port = 22;
    words_add(&machine->host_keys, "ssh-ed25519 AAAA");
    machine->resources = json_new_object();
    json_set_string(machine->resources, "veth", "tp1");
    put(writer, (struct event){.kind = EVENT_MACHINE, .machine = machine});
    machine->made_ns = 77;
    put(writer, (struct event){.kind = EVENT_MACHINE, .machine = machine});
    cr_expect_eq(store_writer_stop(writer, 5 * NS_PER_S, &err), 0, "%s", error_text(&err));
    cr_expect_eq(record_number(&record,
                               "SELECT count(*) FROM machine WHERE made_ns = 77 AND address = '10.1.2.3' AND"
                               " json_extract(record, '$.resources.veth') = 'tp1' AND json_extract(record,"
                               " '$.host_keys[0]') = 'ssh-ed25519 AAAA'"),
                 1);
    record_end(&record);
}

Test(store, health_windows_are_the_spans_between_changes)
{
    struct record record = record_start();
    char id[ID_SIZE];
    id_make(id);
    record_whole(&record, id, 1, 2);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(sql_run(record.db,
                         "INSERT INTO sample (run, kind, at_ns, healthy) VALUES"
                         " (1,'health',10,0),(1,'health',20,0),(1,'health',30,1),"
                         "(1,'health',40,1),(1,'health',50,0),(1,'other',55,1)",
                         &err),
                 0, "%s", error_text(&err));
    cr_expect_eq(record_number(&record, "SELECT group_concat(from_ns || '-' || to_ns || '=' || healthy) ="
                                        " '10-30=0,30-50=1,50-50=0' FROM health_window"),
                 1);
    record_end(&record);
}
