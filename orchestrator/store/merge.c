#include "base/file.h"
#include "base/memory.h"
#include "base/words.h"
#include "format/sql.h"
#include "store/batch.h"
#include "store/columns.h"
#include "store/maintain.h"
#include "store/schema.h"
#include "store/store.h"

#include <unistd.h>

enum { BUSY_MS = 10000 };

/* Statements are laid out as statements. */
/* clang-format off */
/* Ids become names of folders and targets names of locks, times are subtracted from each other: what no
 * triphase writes is refused here, so that nothing else has to expect it. 4.1e18 ns is the year 2099, 1e16
 * ns are 115 days. */
#define HEX4 "[0-9a-f][0-9a-f][0-9a-f][0-9a-f]"
#define IS_ID(column) column " GLOB '" HEX4 HEX4 "-" HEX4 "-" HEX4 "-" HEX4 "-" HEX4 HEX4 HEX4 "'"
#define IS_NAME(column) "(length(" column ") BETWEEN 1 AND 31 AND " column " GLOB '[a-z]*' AND NOT " column " GLOB '*[^a-z0-9-]*')"
#define IS_TIME(column) column " BETWEEN 0 AND 4100000000000000000"
#define IS_SPAN(column) "coalesce(" column ", 0) BETWEEN 0 AND 10000000000000000"
#define IS_COUNT(column) "coalesce(" column ", 0) BETWEEN 0 AND 1000000000000"
#define IS_SMALL(column) "coalesce(" column ", 0) BETWEEN -1 AND 1000000"

static const struct {
    const char *what, *statement;
} refusals[] = {
    {"its tables, indexes or views are not those of this version",
     "SELECT count(*) FROM (SELECT type, name, tbl_name, sql FROM other.sqlite_schema EXCEPT SELECT type, name, tbl_name, sql FROM main.sqlite_schema)"},
    {"its tables, indexes or views are not those of this version",
     "SELECT count(*) FROM (SELECT type, name, tbl_name, sql FROM main.sqlite_schema EXCEPT SELECT type, name, tbl_name, sql FROM other.sqlite_schema)"},
    /* Without an argument: SQLite 3.46 takes one that is given to the function for a table's name. */
    {"it is damaged",
     "SELECT count(*) FROM pragma_integrity_check WHERE schema = 'other' AND integrity_check <> 'ok'"},
    {"it has runs with values that no triphase writes",
     "SELECT count(*) FROM other.run WHERE NOT (" IS_ID("id") " AND " IS_NAME("target") " AND " IS_TIME("started_ns") " AND "
     IS_SPAN("duration_ns") " AND " IS_SMALL("exit_code") " AND (parent_id IS NULL OR " IS_ID("parent_id") ") AND (machine_id IS NULL OR "
     IS_ID("machine_id") "))"},
    {"it has steps with values that no triphase writes",
     "SELECT count(*) FROM other.step WHERE NOT (seq BETWEEN 1 AND 1000000 AND " IS_SMALL("attempt") " AND " IS_TIME("started_ns") " AND "
     IS_SPAN("duration_ns") " AND " IS_SPAN("deadline_ns") " AND " IS_SMALL("exit_code") " AND " IS_SMALL("signal") " AND "
     IS_SMALL("survivors_here") " AND " IS_SMALL("survivors_host") " AND " IS_COUNT("ok") " AND " IS_COUNT("changed") " AND "
     IS_COUNT("failed") " AND " IS_COUNT("skipped") " AND " IS_COUNT("unreachable") " AND " IS_COUNT("ignored") " AND "
     IS_COUNT("rescued") " AND " IS_COUNT("event_bytes") " AND " IS_SPAN("cpu_usec") ")"},
    {"it has tasks with values that no triphase writes",
     "SELECT count(*) FROM other.task WHERE NOT (seq > 0 AND " IS_TIME("started_ns") " AND " IS_SPAN("duration_ns") " AND "
     IS_COUNT("items") " AND flags BETWEEN 0 AND 15)"},
    {"it has events with values that no triphase writes",
     "SELECT count(*) FROM other.event WHERE NOT (" IS_TIME("at_ns") " AND coalesce(step, 1) BETWEEN 0 AND 1000000)"},
    {"it has machines with values that no triphase writes",
     "SELECT count(*) FROM other.machine WHERE NOT (" IS_ID("id") " AND " IS_NAME("target") " AND " IS_TIME("made_ns") " AND "
     IS_TIME("removed_ns") " AND " IS_TIME("expires_ns") " AND json_valid(record))"},
    {"it has diagnoses with values that no triphase writes",
     "SELECT count(*) FROM other.diagnosis WHERE NOT (" IS_ID("id") " AND " IS_NAME("target") " AND " IS_TIME("started_ns") " AND "
     IS_SPAN("duration_ns") " AND (conclusion IS NULL OR json_valid(conclusion)) AND (surroundings IS NULL OR json_valid(surroundings)))"},
    {"it has cells of diagnoses with values that no triphase writes",
     "SELECT count(*) FROM other.diagnosis_cell WHERE NOT (seq BETWEEN 1 AND 1000000 AND " IS_TIME("at_ns") " AND " IS_SPAN("duration_ns")
     " AND " IS_SPAN("last_good_ns") " AND " IS_SMALL("stalls") " AND bytes >= 0 AND json_valid(parameters))"},
    /* those of a merge into it that broke off have no run either */
    {"it has events of steps that it does not have",
     "SELECT count(*) FROM other.event WHERE step IS NOT NULL AND run IN (SELECT number FROM other.run)"
     " AND NOT EXISTS (SELECT 1 FROM other.step WHERE step.run = event.run AND step.seq = event.step)"},
    {"it has runs that ended with steps that did not",
     "SELECT count(*) FROM other.step JOIN other.run ON run.number = step.run WHERE step.outcome IS NULL AND run.outcome IS NOT NULL"},
};

#define STEP_COLUMNS "seq" STORE_STEP_COLUMNS(STORE_NAME)
/* Behind a column of the caller's. */
#define RUN_COLUMNS STORE_RUN_COLUMNS(STORE_NAME)
#define EVENT_COLUMNS "step, at_ns" STORE_NOTE_COLUMNS(STORE_NAME) STORE_UNREACHABLE_COLUMNS(STORE_NAME)
#define MACHINE_COLUMNS "record" STORE_MACHINE_COLUMNS(STORE_NAME)
#define WORD(column, moments, rule) ", (SELECT word.ours FROM temp.word WHERE word.theirs = task." #column ")"
/* The words of these rows of tasks, and then the rows; `step` is their step's number here. */
#define COPY_TASKS(step, rows)                                                                                                           \
    "INSERT INTO temp.word (theirs) WITH part AS MATERIALIZED (SELECT task.seq" STORE_TASK_WORDS(STORE_NAME) " FROM " rows ") " \
    STORE_EACH_WORD("part") ";"                                                                                                          \
    "INSERT OR IGNORE INTO main.name (text) SELECT text FROM other.name WHERE number IN (SELECT theirs FROM temp.word) ORDER BY number;" \
    "UPDATE temp.word SET ours = (SELECT ours.number FROM other.name AS theirs CROSS JOIN main.name AS ours ON ours.text = theirs.text"   \
    " WHERE theirs.number = word.theirs);"                                                                                               \
    "INSERT INTO main.task (step, seq, flags" STORE_TASK_WORDS(STORE_NAME) STORE_TASK_COLUMNS(STORE_NAME) ")"                             \
    " SELECT " step ", task.seq, flags" STORE_TASK_WORDS(WORD) STORE_TASK_COLUMNS(STORE_NAME) " FROM " rows " ORDER BY " step ", task.seq;"
/* A step's paths hold where its logs lie beside its own store only, so they come along only in the form that
 * cannot leave the folder of runs. */
#define STEP_PATHS                                                                                                                       \
    " CASE WHEN log GLOB 'runs/*' AND NOT log GLOB '*..*' THEN log END,"                                                                 \
    " CASE WHEN events GLOB 'runs/*' AND NOT events GLOB '*..*' THEN events END, "
/* Of a machine that stays the other project's, a run does not speak here. One without a number
 * of its own gets the next. */
#define COPY_RUNS                                                                                                                        \
    "INSERT INTO main.run (number, merged" RUN_COLUMNS ") SELECT ours, 1" RUN_COLUMNS                                                    \
    " FROM (SELECT theirs, ours FROM temp.piece) CROSS JOIN other.run ON run.number = theirs ORDER BY theirs;"                           \
    "UPDATE temp.piece SET ours = (SELECT number FROM main.run WHERE run.id = piece.id);"                                                \
    "UPDATE main.run SET machine_id = NULL WHERE number IN (SELECT ours FROM temp.piece) AND machine_id NOT IN (SELECT id FROM main.machine);"
/* These rows of events and samples; `run` is their run's number here. */
#define COPY_EVENTS(run, rows) "INSERT INTO main.event (run, " EVENT_COLUMNS ") SELECT " run ", " EVENT_COLUMNS " FROM " rows " ORDER BY event.number;"
#define COPY_SAMPLES(run, rows)                                                                                                         \
    "INSERT INTO main.sample (run, kind, at_ns, healthy, value, detail) SELECT " run ", sample.kind, at_ns, healthy, value, detail FROM " rows ";"
#define NOTE_ADDED                                                                                                                       \
    "UPDATE temp.added SET ours = (SELECT ours FROM temp.piece WHERE piece.theirs = added.theirs) WHERE theirs IN (SELECT theirs FROM temp.piece);"

/* What is new is written down first; the rest follows from it. */
static const char list_new[] =
    "CREATE TEMP TABLE added (theirs INTEGER PRIMARY KEY, ours INTEGER, id TEXT, rows INTEGER);"
    "CREATE TEMP TABLE piece (theirs INTEGER PRIMARY KEY, ours INTEGER, id TEXT);"
    "CREATE TEMP TABLE piece_step (theirs INTEGER PRIMARY KEY, ours INTEGER);"
    "CREATE TEMP TABLE word (theirs INTEGER PRIMARY KEY, ours INTEGER);"
    "CREATE TEMP TABLE span (number INTEGER PRIMARY KEY, what TEXT, theirs INTEGER, sort TEXT, ours INTEGER, low INTEGER, high INTEGER);"
    "CREATE TEMP VIEW next AS SELECT * FROM span ORDER BY number LIMIT 1;"
    "INSERT INTO temp.added (theirs, id, rows) SELECT number, id, (SELECT count(*) FROM other.step JOIN other.task ON task.step = step.number"
    " WHERE step.run = run.number) + (SELECT count(*) FROM other.event WHERE event.run = run.number)"
    " + (SELECT count(*) FROM other.sample WHERE sample.run = run.number) FROM other.run WHERE outcome IS NOT NULL AND id NOT IN (SELECT id FROM main.run) ORDER BY number;";
static const char copy_machines[] = "INSERT OR IGNORE INTO main.machine (" MACHINE_COLUMNS ") SELECT " MACHINE_COLUMNS
                                    " FROM other.machine WHERE removed_ns > 0;";
/* Those that ended; a cell belongs to one that is here only where its diagnosis came with it. */
#define DIAGNOSIS_COLUMNS "id, target, size, node, started_ns, duration_ns, variable, transport, sure, conclusion, surroundings"
#define CELL_COLUMNS "diagnosis, seq, at_ns, transport, client, work, parameters, ok, ended, message, duration_ns, last_good_ns, bytes, stalls, tcp_state, path"
static const char copy_diagnoses[] =
    "CREATE TEMP TABLE diagnosed AS SELECT id FROM other.diagnosis WHERE duration_ns IS NOT NULL AND id NOT IN (SELECT id FROM main.diagnosis);"
    "INSERT INTO main.diagnosis (" DIAGNOSIS_COLUMNS ") SELECT " DIAGNOSIS_COLUMNS " FROM other.diagnosis WHERE id IN (SELECT id FROM temp.diagnosed);"
    "INSERT INTO main.diagnosis_cell (" CELL_COLUMNS ") SELECT " CELL_COLUMNS " FROM other.diagnosis_cell WHERE diagnosis IN (SELECT id FROM temp.diagnosed);";
/* The next runs, one at least; one that came in another way meanwhile is left out. */
static const char copy_piece[] =
    "DELETE FROM temp.piece; DELETE FROM temp.piece_step; DELETE FROM temp.word;"
    "DELETE FROM temp.added WHERE ours IS NULL AND id IN (SELECT id FROM main.run);"
    "INSERT INTO temp.piece (theirs, id) SELECT theirs, id FROM (SELECT theirs, id, sum(rows + 1) OVER (ORDER BY theirs) - rows AS before"
    " FROM temp.added WHERE ours IS NULL) WHERE before <= " STORE_BATCH_TEXT ";"
    COPY_RUNS
    "INSERT INTO main.step (run, log, events, " STEP_COLUMNS ") SELECT piece.ours," STEP_PATHS STEP_COLUMNS
    " FROM temp.piece CROSS JOIN other.step ON step.run = piece.theirs ORDER BY step.number;"
    "INSERT INTO temp.piece_step SELECT theirs.number, ours.number FROM temp.piece CROSS JOIN other.step AS theirs ON theirs.run = piece.theirs"
    " CROSS JOIN main.step AS ours ON ours.run = piece.ours AND ours.seq = theirs.seq;"
    COPY_TASKS("piece_step.ours", "temp.piece_step CROSS JOIN other.task ON task.step = piece_step.theirs")
    COPY_EVENTS("piece.ours", "temp.piece CROSS JOIN other.event ON event.run = piece.theirs")
    COPY_SAMPLES("piece.ours", "temp.piece CROSS JOIN other.sample ON sample.run = piece.theirs")
    NOTE_ADDED;
/* Tasks, events and samples of a run that is more than a piece come before it, for a run and steps of numbers
 * that nobody gives meanwhile: nothing shows them until the run and its steps are there. */
static const char begin_large[] =
    "DELETE FROM temp.piece; DELETE FROM temp.piece_step; DELETE FROM temp.span;"
    "INSERT INTO temp.piece (theirs, id, ours) SELECT theirs, id, (SELECT coalesce(max(number), 0) FROM main.run) + " STORE_AHEAD_TEXT
    " FROM temp.added WHERE ours IS NULL ORDER BY theirs LIMIT 1;"
    "INSERT INTO temp.piece_step (theirs, ours) SELECT number, (SELECT coalesce(max(number), 0) FROM main.step) + " STORE_AHEAD_TEXT
    " + row_number() OVER (ORDER BY number) FROM other.step WHERE run = (SELECT theirs FROM temp.piece);"
    "INSERT INTO temp.span (what, theirs, ours, low, high) SELECT 'task', step, (SELECT ours FROM temp.piece_step WHERE theirs = step), min(seq), max(seq) FROM"
    " (SELECT step, seq, (row_number() OVER (PARTITION BY step ORDER BY seq) - 1) / " STORE_BATCH_TEXT " AS part FROM other.task"
    " WHERE step IN (SELECT theirs FROM temp.piece_step)) GROUP BY step, part ORDER BY step, part;"
    "INSERT INTO temp.span (what, theirs, ours, low, high) SELECT 'event', piece.theirs, piece.ours, min(event), max(event) FROM temp.piece,"
    " (SELECT number AS event, (row_number() OVER (ORDER BY number) - 1) / " STORE_BATCH_TEXT " AS part FROM other.event"
    " WHERE run = (SELECT theirs FROM temp.piece)) GROUP BY part ORDER BY part;"
    "INSERT INTO temp.span (what, theirs, sort, ours, low, high) SELECT 'sample', piece.theirs, kind, piece.ours, min(at_ns), max(at_ns) FROM temp.piece,"
    " (SELECT kind, at_ns, (row_number() OVER (PARTITION BY kind ORDER BY at_ns) - 1) / " STORE_BATCH_TEXT " AS part FROM other.sample"
    " WHERE run = (SELECT theirs FROM temp.piece)) GROUP BY kind, part ORDER BY kind, part;";
static const char copy_span[] =
    "DELETE FROM temp.word;"
    COPY_TASKS("next.ours", "temp.next CROSS JOIN other.task ON next.what = 'task' AND task.step = next.theirs AND task.seq BETWEEN next.low AND next.high")
    COPY_EVENTS("next.ours", "temp.next CROSS JOIN other.event ON next.what = 'event' AND +event.run = next.theirs AND event.number BETWEEN next.low AND next.high")
    COPY_SAMPLES("next.ours", "temp.next CROSS JOIN other.sample ON next.what = 'sample' AND sample.run = next.theirs AND sample.kind = next.sort"
    " AND sample.at_ns BETWEEN next.low AND next.high")
    "DELETE FROM temp.span WHERE number = (SELECT min(number) FROM temp.span);";
static const char end_large[] =
    COPY_RUNS
    "INSERT INTO main.step (number, run, log, events, " STEP_COLUMNS ") SELECT piece_step.ours, piece.ours," STEP_PATHS STEP_COLUMNS
    " FROM temp.piece CROSS JOIN temp.piece_step CROSS JOIN other.step ON step.number = piece_step.theirs ORDER BY piece_step.ours;"
    NOTE_ADDED;
/* clang-format on */

static int refuse_strange(struct sql *db, const char *from, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        int64_t strange;
        if (sql_query_integer(db, refusals[i].statement, 0, &strange, err) < 0)
            return error_prefix(err, "reading %s", from);
        if (strange)
            return error_set(err, ERROR_USAGE, "cannot merge %s: %s; nothing was changed", from,
                             refusals[i].what);
    }
    return 0;
}

static int run_statements(struct sql *db, void *statements, struct error *err)
{
    return sql_run(db, statements, err);
}

static int batch(struct sql *db, const char *statements, struct error *err)
{
    return store_batch(db, run_statements, (void *)(uintptr_t)statements, err);
}

static int copy_large(struct sql *db, struct error *err)
{
    int64_t left;
    if (sql_run(db, begin_large, err) < 0 ||
        sql_query_integer(db, "SELECT count(*) FROM temp.span", 0, &left, err) < 0)
        return -1;
    for (; left; left--)
        if (batch(db, copy_span, err) < 0)
            return -1;
    return batch(db, end_large, err);
}

/* Rows whose step is still to come are no fault then. */
static int copy_large_apart(struct sql *db, struct error *err)
{
    if (sql_run(db, "PRAGMA foreign_keys = OFF", err) < 0)
        return -1;
    int result = copy_large(db, err);
    return sql_run(db, "PRAGMA foreign_keys = ON", result < 0 ? NULL : err) < 0 ? -1 : result;
}

static int copy_runs(struct sql *db, struct error *err)
{
    for (int64_t left = 1; left;) {
        int64_t rows;
        if (sql_query_integer(db, "SELECT rows FROM temp.added WHERE ours IS NULL ORDER BY theirs LIMIT 1", 0,
                              &rows, err) < 0 ||
            (rows > STORE_BATCH_ROWS ? copy_large_apart(db, err) : batch(db, copy_piece, err)) < 0 ||
            sql_query_integer(db, "SELECT count(*) FROM temp.added WHERE ours IS NULL", 0, &left, err) < 0)
            return -1;
    }
    return 0;
}

/* What was added before it failed goes again; where that fails too it is said. */
static void take_back(struct sql *db, struct error *why)
{
    AUTO_STATEMENT *query = NULL;
    AUTO_WORDS ids = WORDS_INIT;
    size_t left = 0;
    if (sql_prepare(db, "SELECT id FROM temp.added WHERE ours IS NOT NULL", &query, NULL) == 0)
        while (sql_step(query, NULL) > 0)
            words_add(&ids, sql_text(query, 0));
    for (size_t i = 0; i < ids.count; i++)
        left += store_remove_run(db, ids.items[i], NULL) < 0;
    store_remove_halves(db, NULL);
    if (left)
        error_prefix(why, "%zu whole runs of it were added, then it could not go on (the same again goes on)",
                     left);
}

static int merge(struct sql *db, const char *from, struct store_merged *out, struct error *err)
{
    int64_t before;
    if (refuse_strange(db, from, err) < 0 ||
        sql_query_integer(db, "SELECT count(*) FROM other.run WHERE outcome IS NULL", 0, &out->unfinished,
                          err) < 0 ||
        sql_query_integer(
            db,
            "SELECT count(*) FROM other.run WHERE outcome IS NOT NULL AND id IN (SELECT id FROM main.run)", 0,
            &out->known, err) < 0 ||
        sql_query_integer(db, "SELECT count(*) FROM other.machine WHERE removed_ns = 0", 0, &out->present,
                          err) < 0 ||
        sql_query_integer(db, "SELECT count(*) FROM main.machine", 0, &before, err) < 0 ||
        sql_run(db, list_new, err) < 0 || batch(db, copy_machines, err) < 0 ||
        batch(db, copy_diagnoses, err) < 0 ||
        sql_query_integer(db, "SELECT count(*) FROM main.machine", 0, &out->machines, err) < 0)
        return -1;
    out->machines -= before;
    if (copy_runs(db, err) < 0) {
        take_back(db, err);
        return -1;
    }
    return sql_query_integer(db, "SELECT count(*) FROM temp.added", 0, &out->runs, err);
}

/* A copy that nobody changes while it is looked at and taken over, of this version. */
static int copy_other(const char *from, const char *copy, struct error *err)
{
    AUTO_SQL *db = NULL;
    int version, there = file_look(from, err);
    if (there <= 0)
        return there < 0 ? error_prefix(err, "merging %s", from)
                         : error_set(err, ERROR_USAGE, "cannot merge %s: there is no such file", from);
    if (sql_open(from, SQL_READ, BUSY_MS, &db, err) < 0 || store_version(db, from, &version, err) < 0) {
        if (err)
            err->kind = ERROR_USAGE; /* the file that was named is none that can be read as a store */
        return error_prefix(err, "merging %s", from);
    }
    if (version == 0)
        return error_set(err, ERROR_USAGE, "cannot merge %s: it is empty", from);
    sql_step_aside(&db);
    if (store_copy(db, copy, err) < 0 || store_prepare(copy, err) < 0)
        return error_prefix(err, "merging %s", from);
    return 0;
}

static void remove_copy(const char *copy)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        AUTO_FREE char *path = xasprintf("%s%s", copy, ends[i]);
        unlink(path);
    }
}

static int merge_copy(const char *path, const char *copy, const char *from, struct store_merged *out,
                      struct error *err)
{
    AUTO_SQL *db = NULL;
    if (store_prepare(path, err) < 0 || sql_open(path, SQL_WRITE, BUSY_MS, &db, err) < 0 ||
        sql_run(db, "PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL", err) < 0 ||
        sql_attach(db, copy, "other", err) < 0 || store_remove_halves(db, err) < 0)
        return -1;
    return merge(db, from, out, err);
}

int store_merge(const char *path, const char *from, struct store_merged *out, struct error *err)
{
    AUTO_CLOSE int alone = -1;
    AUTO_FREE char *copy = xasprintf("%s.merge", path);
    struct store_merged merged = {0};
    if (store_batch_alone(path, &alone, err) < 0)
        return -1;
    remove_copy(copy); /* of one that was killed */
    int result = copy_other(from, copy, err) < 0 || merge_copy(path, copy, from, &merged, err) < 0 ? -1 : 0;
    remove_copy(copy);
    if (result == 0)
        *out = merged;
    return result;
}
