#include "store/sweep_words.h"

#include "base/memory.h"
#include "base/moment.h"
#include "store/batch.h"

/* Notes the words of some rows of `task`. */
#define NOTE_WORDS(rows)                                                                                     \
    "INSERT OR IGNORE INTO temp.used WITH part AS MATERIALIZED (SELECT host, play, role, task, path, action" \
    "  FROM task WHERE " rows ") " STORE_EACH_WORD("part")

/* The words of all rows that are there, read a part at a time. */
static int note_words(struct sql *db, int64_t last_step, struct error *err)
{
    AUTO_STATEMENT *ends = NULL, *note = NULL;
    int64_t step = 0, seq = 0;
    if (sql_prepare(db,
                    "SELECT step, seq FROM task WHERE (step, seq) > (?1, ?2) AND step <= ?3"
                    " ORDER BY step, seq LIMIT 1 OFFSET ?4",
                    &ends, err) < 0 ||
        sql_prepare(db, NOTE_WORDS("(step, seq) > (?1, ?2) AND (step, seq) <= (?3, ?4)"), &note, err) < 0)
        return -1;
    for (bool more = true; more;) {
        sql_bind_integer(ends, 1, step);
        sql_bind_integer(ends, 2, seq);
        sql_bind_integer(ends, 3, last_step);
        sql_bind_integer(ends, 4, STORE_BATCH_ROWS - 1);
        int row = sql_step(ends, err);
        if (row < 0)
            return -1;
        more = row > 0;
        int64_t to_step = more ? sql_integer(ends, 0) : last_step,
                to_seq = more ? sql_integer(ends, 1) : INT64_MAX;
        sql_reset(ends);
        const int64_t bounds[] = {step, seq, to_step, to_seq};
        for (size_t i = 0; i < COUNT_OF(bounds); i++)
            sql_bind_integer(note, 1 + (int)i, bounds[i]);
        if (sql_do(note, err) < 0)
            return -1;
        step = to_step;
        seq = to_seq;
    }
    return 0;
}

/* What was written since is noted step by step, each from where it was noted to. */
static const char note_moving[] =
    "INSERT OR IGNORE INTO temp.moving SELECT number, 0 FROM step"
    " WHERE number > (SELECT max(number) FROM temp.moving);"
    "INSERT OR IGNORE INTO temp.used WITH part AS MATERIALIZED (SELECT task.host, play, role, task, path, "
    "action"
    "  FROM temp.moving CROSS JOIN task ON task.step = moving.number AND task.seq > "
    "moving.noted) " STORE_EACH_WORD("part") ";"
                                             "UPDATE temp.moving SET noted = coalesce((SELECT max(seq) FROM "
                                             "task WHERE step = moving.number), 0)";

/* Of one moment: what a run writes between the words that are noted and how far that is would be lost. */
static int note_ahead(struct sql *db, struct error *err)
{
    if (sql_run(db, "BEGIN", err) < 0)
        return -1;
    if (sql_run(db, note_moving, err) < 0 || sql_commit(db, err) < 0) {
        sql_rollback(db);
        return -1;
    }
    return 0;
}

struct span {
    int64_t at, last; /* numbers of words */
};

/* What a run has written since its words were noted is noted under the lock: it may use a word
 * that nobody used before. */
static int remove_words(struct sql *db, void *context, struct error *err)
{
    struct span *span = context;
    AUTO_STATEMENT *remove = NULL;
    int64_t began = moment_monotonic();
    if (sql_run(db, note_moving, err) < 0 ||
        sql_prepare(db,
                    "DELETE FROM name WHERE number BETWEEN ?1 AND ?2 AND number NOT IN (SELECT number FROM "
                    "temp.used)",
                    &remove, err) < 0)
        return -1;
    do {
        sql_bind_integer(remove, 1, span->at + 1);
        sql_bind_integer(remove, 2, span->at + STORE_BATCH_BITE);
        if (sql_do(remove, err) < 0)
            return -1;
        span->at += STORE_BATCH_BITE;
    } while (span->at < span->last && !store_batch_is_long(began));
    return 0;
}

int store_sweep_words(struct sql *db, struct error *err)
{
    struct span span = {0};
    int64_t last_step;
    if (sql_run(db,
                "PRAGMA temp_store = MEMORY; CREATE TEMP TABLE used (number INTEGER PRIMARY KEY);"
                " CREATE TEMP TABLE moving (number INTEGER PRIMARY KEY, noted INTEGER);"
                /* the last one too, so that it is known which ones are later */
                " INSERT INTO temp.moving SELECT number, 0 FROM step WHERE outcome IS NULL"
                "  OR number = (SELECT max(number) FROM step);"
                " INSERT OR IGNORE INTO temp.moving VALUES (0, 0)",
                err) < 0 ||
        sql_query_integer(db, "SELECT max(number) FROM temp.moving", 0, &last_step, err) < 0 ||
        sql_query_integer(db, "SELECT max(number) FROM name", 0, &span.last, err) < 0 ||
        note_words(db, last_step, err) < 0 ||
        /* Without the lock first: what is left for the moment under it is little. */
        note_ahead(db, err) < 0)
        return -1;
    while (span.at < span.last)
        if (note_ahead(db, err) < 0 || store_batch(db, remove_words, &span, err) < 0)
            return -1;
    return 0;
}
