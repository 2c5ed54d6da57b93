#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "config/layout.h"
#include "format/sql.h"
#include "process/lock.h"
#include "store/batch.h"
#include "store/history.h"
#include "store/maintain.h"

#include <sys/stat.h>

enum { BUSY_MS = 10000 };

int store_newest(const char *path, int64_t *out, struct error *err)
{
    AUTO_SQL *db = NULL;
    return history_open(path, &db, err) < 0
               ? -1
               : sql_query_integer(
                     db, "SELECT max(started_ns + coalesce(duration_ns, 0)) FROM run WHERE merged = 0", 0,
                     out, err);
}

/* ---- runs ---- */

#define KEPT_OF_A_TARGET "20"

static int prunable(struct sql *db, int64_t before_ns, struct words *out, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    int row;
    if (sql_prepare(
            db,
            "SELECT id FROM (SELECT id, outcome, started_ns + coalesce(duration_ns, 0) AS ended,"
            "  row_number() OVER (PARTITION BY target, kind IS 'drift' ORDER BY " HISTORY_NEWEST_FIRST
            ") AS place FROM run)"
            " WHERE place > " KEPT_OF_A_TARGET " AND outcome IS NOT NULL AND ended < ?1"
            " AND id NOT IN (SELECT parent_id FROM run WHERE outcome IS NULL AND parent_id IS NOT NULL)",
            &query, err) < 0)
        return -1;
    sql_bind_integer(query, 1, before_ns);
    while ((row = sql_step(query, err)) > 0)
        words_add(out, sql_text(query, 0));
    return row;
}

struct piece {
    const char *run, *statement;
};

/* How many rows went. */
static int remove_piece(struct sql *db, void *context, struct error *err)
{
    const struct piece *piece = context;
    AUTO_STATEMENT *remove = NULL;
    if (sql_prepare(db, piece->statement, &remove, err) < 0)
        return -1;
    sql_bind_text(remove, 1, piece->run);
    sql_bind_integer(remove, 2, STORE_BATCH_ROWS);
    return sql_do(remove, err) < 0 ? -1 : (int)sql_changes(db);
}

/* Piece by piece, until none is left. */
static int remove_all(struct sql *db, const char *run, const char *statement, struct error *err)
{
    struct piece piece = {run, statement};
    int gone;
    do
        gone = store_batch(db, remove_piece, &piece, err);
    while (gone == STORE_BATCH_ROWS);
    return gone < 0 ? -1 : 0;
}

int store_remove_halves(struct sql *db, struct error *err)
{
    static const char *const statements[] = {
        "DELETE FROM task WHERE (step, seq) IN (SELECT step, seq FROM task WHERE " STORE_HALF " LIMIT ?2)",
        "DELETE FROM event WHERE number IN (SELECT number FROM event WHERE " STORE_HALF_OF_RUN " LIMIT ?2)",
        "DELETE FROM sample WHERE (run, kind, at_ns) IN (SELECT run, kind, at_ns FROM sample"
        " WHERE " STORE_HALF_OF_RUN " LIMIT ?2)",
    };
    for (size_t i = 0; i < COUNT_OF(statements); i++)
        if (remove_all(db, NULL, statements[i], err) < 0)
            return -1;
    return 0;
}

/* What a run has many of goes first and piece by piece, the run itself last: one that is killed meanwhile is
 * found again by the next. */
int store_remove_run(struct sql *db, const char *id, struct error *err)
{
    static const char *const statements[] = {
        "DELETE FROM task WHERE (step, seq) IN (SELECT task.step, task.seq FROM task WHERE step IN"
        " (SELECT number FROM step WHERE run = (SELECT number FROM run WHERE id = ?1)) LIMIT ?2)",
        "DELETE FROM event WHERE number IN (SELECT number FROM event WHERE run ="
        " (SELECT number FROM run WHERE id = ?1) LIMIT ?2)",
        "DELETE FROM sample WHERE run = (SELECT number FROM run WHERE id = ?1) AND (kind, at_ns) IN"
        " (SELECT kind, at_ns FROM sample WHERE run = (SELECT number FROM run WHERE id = ?1) LIMIT ?2)",
        "DELETE FROM run WHERE id IN (SELECT id FROM run WHERE id = ?1 AND outcome IS NOT NULL LIMIT ?2)",
    };
    for (size_t i = 0; i < COUNT_OF(statements); i++)
        if (remove_all(db, id, statements[i], err) < 0)
            return -1;
    return 0;
}

/* ---- folders ---- */

static int remove_folder(const char *state, const char *run, struct error *err)
{
    if (!id_is(run)) /* never a path that a row made up */
        return 0;
    AUTO_FREE char *path = layout_run(state, run);
    return file_remove_tree(path, err);
}

/* Runs that begin at this moment have a folder, and no row yet. */
static void add_beginning(const char *state, struct words *out)
{
    AUTO_FREE char *locks = file_join(state, "locks");
    AUTO_WORDS names = WORDS_INIT;
    file_list(locks, &names, NULL);
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = file_join(locks, names.items[i]);
        struct lock_owner owner;
        bool held;
        if (lock_look(path, &owner, &held, NULL) == 0 && held)
            words_add(out, owner.run);
    }
}

/* Folders whose run has no row: a prune that was killed, or a run whose first row was never written. */
static int remove_strays(struct sql *db, const char *state, int64_t before_ns, int64_t *removed,
                         struct error *err)
{
    AUTO_FREE char *runs = file_join(state, "runs");
    AUTO_WORDS names = WORDS_INIT, beginning = WORDS_INIT;
    AUTO_STATEMENT *query = NULL;
    add_beginning(state, &beginning);
    if (file_list(runs, &names, err) < 0 ||
        sql_prepare(db, "SELECT 1 FROM run WHERE id = ?1", &query, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = file_join(runs, names.items[i]);
        struct stat folder;
        if (!id_is(names.items[i]) || words_have(&beginning, names.items[i]) || lstat(path, &folder) < 0 ||
            !S_ISDIR(folder.st_mode) || folder.st_mtim.tv_sec >= before_ns / NS_PER_S)
            continue;
        sql_bind_text(query, 1, names.items[i]);
        int row = sql_step(query, err);
        sql_reset(query);
        if (row < 0 || (row == 0 && file_remove_tree(path, err) < 0))
            return -1;
        *removed += row == 0;
    }
    return 0;
}

/* ---- machines and words ---- */

static int remove_machines(struct sql *db, int64_t before_ns, int64_t *removed, struct error *err)
{
    AUTO_STATEMENT *remove = NULL;
    if (sql_prepare(db,
                    "DELETE FROM machine WHERE removed_ns > 0 AND removed_ns < ?1"
                    " AND id NOT IN (SELECT machine_id FROM run WHERE machine_id IS NOT NULL)",
                    &remove, err) < 0)
        return -1;
    sql_bind_integer(remove, 1, before_ns);
    if (sql_do(remove, err) < 0)
        return -1;
    *removed = sql_changes(db);
    return 0;
}

/* A diagnosis tells nobody its process: one that has not ended may go on for as long as that. */
#define DIAGNOSIS_MOST (INT64_C(24) * 3600 * NS_PER_S)

/* The newest of each target stay, as with runs, and what may go on still. */
static int remove_diagnoses(struct sql *db, int64_t before_ns, struct error *err)
{
    AUTO_STATEMENT *remove = NULL;
    if (sql_prepare(db,
                    "DELETE FROM diagnosis WHERE started_ns < ?1"
                    " AND (duration_ns IS NOT NULL OR started_ns < ?2) AND id IN (SELECT id FROM (SELECT id,"
                    "  row_number() OVER (PARTITION BY target ORDER BY started_ns DESC, id DESC) AS place"
                    "  FROM diagnosis) WHERE place > " KEPT_OF_A_TARGET ")",
                    &remove, err) < 0)
        return -1;
    sql_bind_integer(remove, 1, before_ns);
    sql_bind_integer(remove, 2, moment_wall() - DIAGNOSIS_MOST);
    return sql_do(remove, err);
}

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

struct span {
    int64_t from, to, last_step;
};

/* What a run has written since its words were noted is noted under the lock: it may use a word
 * that nobody used before. */
static int remove_words(struct sql *db, void *context, struct error *err)
{
    const struct span *span = context;
    AUTO_STATEMENT *note = NULL, *remove = NULL;
    if (sql_prepare(db, NOTE_WORDS("step > ?1 OR step IN (SELECT number FROM temp.moving)"), &note, err) <
            0 ||
        sql_prepare(db,
                    "DELETE FROM name WHERE number BETWEEN ?1 AND ?2 AND number NOT IN (SELECT number FROM "
                    "temp.used)",
                    &remove, err) < 0)
        return -1;
    sql_bind_integer(note, 1, span->last_step);
    sql_bind_integer(remove, 1, span->from);
    sql_bind_integer(remove, 2, span->to);
    return sql_do(note, err) < 0 ? -1 : sql_do(remove, err);
}

/* Words that no row uses any more. Steps that have not ended, and later ones, are all that can
 * use another word meanwhile. */
static int sweep_words(struct sql *db, struct error *err)
{
    struct span span = {0};
    int64_t last;
    if (sql_run(db,
                "PRAGMA temp_store = MEMORY; CREATE TEMP TABLE used (number INTEGER PRIMARY KEY);"
                " CREATE TEMP TABLE moving (number INTEGER PRIMARY KEY)",
                err) < 0 ||
        sql_query_integer(db, "SELECT max(number) FROM step", 0, &span.last_step, err) < 0 ||
        sql_run(db, "INSERT INTO temp.moving SELECT number FROM step WHERE outcome IS NULL", err) < 0 ||
        sql_query_integer(db, "SELECT max(number) FROM name", 0, &last, err) < 0 ||
        note_words(db, span.last_step, err) < 0)
        return -1;
    for (; span.to < last; span.from = span.to + 1) {
        span.to = last - span.from > STORE_BATCH_ROWS ? span.from + STORE_BATCH_ROWS : last;
        if (store_batch(db, remove_words, &span, err) < 0)
            return -1;
    }
    return 0;
}

int store_prune(const char *path, const char *state, int64_t before_ns, struct store_pruned *out,
                struct error *err)
{
    AUTO_SQL *db = NULL;
    AUTO_WORDS ids = WORDS_INIT;
    struct store_pruned pruned = {0};
    int64_t ignored;
    /* The version is looked at first, as everywhere. */
    if (history_open(path, &db, err) < 0)
        return -1;
    sql_close(TAKE(db));
    AUTO_CLOSE int alone = -1;
    if (store_batch_alone(path, &alone, err) < 0 || sql_open(path, SQL_WRITE, BUSY_MS, &db, err) < 0 ||
        store_remove_halves(db, err) < 0 || prunable(db, before_ns, &ids, err) < 0)
        return -1;
    for (size_t i = 0; i < ids.count; i++, pruned.runs++)
        if (store_remove_run(db, ids.items[i], err) < 0 || remove_folder(state, ids.items[i], err) < 0)
            return -1;
    if (remove_strays(db, state, before_ns, &pruned.folders, err) < 0 ||
        remove_machines(db, before_ns, &pruned.machines, err) < 0 ||
        remove_diagnoses(db, before_ns, err) < 0 || (pruned.runs && sweep_words(db, err) < 0))
        return -1;
    /* As far as readers let it, and without the lock: that of TRUNCATE holds up every writer
     * while it waits for a reader. */
    sql_query_integer(db, "PRAGMA wal_checkpoint(PASSIVE)", 0, &ignored, NULL);
    *out = pruned;
    return 0;
}
