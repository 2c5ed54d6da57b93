/* How long prune has the store at a time goes by the clock: slow rows make more pieces, small runs share
 * one. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "store/batch.h"
#include "store/maintain.h"
#include "unit/hostile.h"
#include "unit/record.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

TestSuite(store_pieces, .timeout = 120, .fini = hostile_clean);

static const char old[] = "01890000-0000-7000-8000-000000000001";

enum { WAL_MOST = 64 << 20, WAL_HEAD = 32, FRAME_HEAD = 24, PAGE = 4096 };

/* From now on the WAL keeps all that is committed: somebody reads what was there before. */
static struct sql *begin_reading(struct record *record)
{
    struct sql *reader;
    AUTO_ERROR err = ERROR_INIT;
    int64_t ignored;
    record_number(record, "PRAGMA wal_checkpoint(TRUNCATE)");
    record_whole(record, "01890000-0000-7000-8000-0000000000ff", moment_wall(), 1);
    cr_assert_eq(sql_open(record->path, SQL_READ, 1000, &reader, &err), 0, "%s", error_text(&err));
    cr_assert(sql_run(reader, "BEGIN", &err) == 0 &&
                  sql_query_integer(reader, "SELECT count(*) FROM run", 0, &ignored, &err) == 0,
              "%s", error_text(&err));
    return reader;
}

/* Commits in the WAL: frames that say how large the database is behind them. */
static int commits(const struct record *record)
{
    AUTO_FREE char *path = xasprintf("%s-wal", record->path);
    AUTO_TEXT wal = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    int count = 0;
    cr_assert_eq(file_read(path, WAL_MOST, &wal, &err), 0, "%s", error_text(&err));
    for (size_t at = WAL_HEAD; at + FRAME_HEAD + PAGE <= wal.length; at += FRAME_HEAD + PAGE)
        count += memcmp(wal.bytes + at + 4, "\0\0\0\0", 4) != 0;
    return count;
}

static void put_tasks(struct record *record, const char *run, int count)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(sql_begin(record->db, &err), 0);
    cr_assert_eq(store_appender_begin(record->appender, &err), 0);
    for (int i = 0; i < count; i++) {
        struct event event = rows_task(run, 1, "r", "T", "ok");
        cr_assert_eq(store_appender_put(record->appender, &event, &err), 0, "%s", error_text(&err));
    }
    cr_assert_eq(sql_commit(record->db, &err), 0);
}

Test(store_pieces, where_removing_a_row_takes_long_a_piece_has_fewer_of_them)
{
    enum { TASKS = 1000 };
    struct record record = record_start();
    AUTO_ERROR err = ERROR_INIT;
    record_whole(&record, old, 1, 1);
    put_tasks(&record, old, TASKS);
    struct sql *reader = begin_reading(&record);
    int before = commits(&record);
    /* A third of a millisecond each, much of a tenth of a second for what is removed between two looks at the
     * clock. */
    cr_assert_eq(sql_run(record.db,
                         "CREATE TEMP TABLE some AS SELECT value FROM json_each('[' || replace(hex(zeroblob("
                         "60)), '0', '1,') || '1]');"
                         "CREATE TEMP TRIGGER slow AFTER DELETE ON main.task BEGIN"
                         " SELECT sum(a.value + b.value) FROM some AS a, some AS b; END",
                         &err),
                 0, "%s", error_text(&err));
    cr_assert_eq(store_remove_run(record.db, old, &err), 0, "%s", error_text(&err));
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM task"), 0);
    cr_expect_geq(commits(&record) - before, TASKS / STORE_BATCH_BITE / 2, "%d pieces",
                  commits(&record) - before);
    sql_close(reader);
    record_end(&record);
}

Test(store_pieces, many_small_runs_go_in_one_piece)
{
    enum { RUNS = 100 };
    struct record record = record_start();
    struct store_pruned pruned;
    AUTO_ERROR err = ERROR_INIT;
    for (int i = 0; i < RUNS + 20; i++) {
        AUTO_FREE char *id = xasprintf("01890000-0000-7000-8001-%012x", (unsigned)i);
        record_whole(&record, id, 1 + i, 1);
        put_tasks(&record, id, 5);
    }
    struct sql *reader = begin_reading(&record);
    int before = commits(&record);
    cr_assert_eq(store_prune(record.path, record.state, moment_wall() - 86400 * NS_PER_S, &pruned, &err), 0,
                 "%s", error_text(&err));
    cr_expect_eq(pruned.runs, RUNS + 1, "%lld", (long long)pruned.runs);
    cr_expect_lt(commits(&record) - before, RUNS / 3, "%d pieces", commits(&record) - before);
    sql_close(reader);
    record_end(&record);
}
