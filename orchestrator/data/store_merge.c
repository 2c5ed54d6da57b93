#include "base/memory.h"
#include "base/text.h"
#include "data/history.h"
#include "data/store_maintain.h"
#include "data/store_schema.h"
#include "mechanism/sql.h"

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
     IS_TIME("removed_ns") " AND json_valid(record))"},
    {"it has events of steps that it does not have",
     "SELECT count(*) FROM other.event WHERE step IS NOT NULL AND NOT EXISTS (SELECT 1 FROM other.step WHERE step.run = event.run"
     " AND step.seq = event.step)"},
    {"it has runs that ended with steps that did not",
     "SELECT count(*) FROM other.step JOIN other.run ON run.number = step.run WHERE step.outcome IS NULL AND run.outcome IS NOT NULL"},
};

#define STEP_COLUMNS                                                                                                                   \
    "seq, kind, name, attempt, transport, evidence, scope, started_ns, started_monotonic_ns, deadline_ns, duration_ns, outcome, cause,"  \
    " message, exit_code, signal, ok, changed, failed, skipped, unreachable, ignored, rescued, cpu_usec, survivors_here, survivors_host," \
    " host_evidence, event_bytes, handlers_owed"
#define RUN_COLUMNS                                                                                                                      \
    "id, kind, target, recipe, provider, project, group_id, parent_id, machine_id, ansible, partial, fresh, extra_digest, plan, pid,"      \
    " pid_start, boot_id, node, started_ns, duration_ns, outcome, exit_code, message"
#define EVENT_COLUMNS "step, at_ns, kind, detail, host, task, cause, cause_source, message, ignored, transport"
#define MACHINE_COLUMNS "id, project, target, provider, reference, address, port, made_ns, removed_ns, record"
#define WORD(column) "(SELECT word.ours FROM temp.word WHERE word.theirs = task." column ")"

/* What is new is written down first; the rest follows from it. A step's paths hold where its logs lie
 * beside its own store only, so they come along only in the form that cannot leave the folder of runs. */
static const char copy_runs[] =
    "CREATE TEMP TABLE added (theirs INTEGER PRIMARY KEY, ours INTEGER, id TEXT);"
    "INSERT INTO temp.added (theirs, id) SELECT number, id FROM other.run WHERE outcome IS NOT NULL"
    " AND id NOT IN (SELECT id FROM main.run) ORDER BY number;"
    "INSERT INTO main.run (merged, " RUN_COLUMNS ") SELECT 1, " RUN_COLUMNS " FROM other.run WHERE number IN (SELECT theirs FROM temp.added) ORDER BY number;"
    "UPDATE temp.added SET ours = (SELECT number FROM main.run WHERE run.id = added.id);";
static const char copy_rows[] =
    "CREATE TEMP TABLE word (theirs INTEGER PRIMARY KEY, ours INTEGER);"
    "INSERT OR IGNORE INTO main.name (text) SELECT text FROM other.name ORDER BY number;"
    "INSERT INTO temp.word SELECT theirs.number, ours.number FROM other.name AS theirs CROSS JOIN main.name AS ours ON ours.text = theirs.text;"
    "CREATE TEMP TABLE added_step (theirs INTEGER PRIMARY KEY, ours INTEGER);"
    "INSERT INTO main.step (run, log, events, " STEP_COLUMNS ") SELECT added.ours,"
    " CASE WHEN log GLOB 'runs/*' AND NOT log GLOB '*..*' THEN log END,"
    " CASE WHEN events GLOB 'runs/*' AND NOT events GLOB '*..*' THEN events END, " STEP_COLUMNS
    " FROM temp.added CROSS JOIN other.step ON step.run = added.theirs ORDER BY step.number;"
    "INSERT INTO temp.added_step SELECT theirs.number, ours.number FROM temp.added CROSS JOIN other.step AS theirs ON theirs.run = added.theirs"
    " CROSS JOIN main.step AS ours ON ours.run = added.ours AND ours.seq = theirs.seq;"
    "INSERT INTO main.task (step, seq, host, play, role, task, path, action, status, flags, items, started_ns, duration_ns, message)"
    " SELECT added_step.ours, task.seq, " WORD("host") ", " WORD("play") ", " WORD("role") ", " WORD("task") ", " WORD("path") ", "
    WORD("action") ", status, flags, items, started_ns, duration_ns, message"
    " FROM temp.added_step CROSS JOIN other.task ON task.step = added_step.theirs ORDER BY added_step.ours, task.seq;"
    "INSERT INTO main.event (run, " EVENT_COLUMNS ") SELECT added.ours, " EVENT_COLUMNS
    " FROM temp.added CROSS JOIN other.event ON event.run = added.theirs ORDER BY event.number;"
    "INSERT INTO main.sample (run, kind, at_ns, healthy, value, detail) SELECT added.ours, kind, at_ns, healthy, value, detail"
    " FROM temp.added CROSS JOIN other.sample ON sample.run = added.theirs;";
static const char copy_machines[] = "INSERT OR IGNORE INTO main.machine (" MACHINE_COLUMNS ") SELECT " MACHINE_COLUMNS
                                    " FROM other.machine WHERE removed_ns > 0;"
    /* Of a machine that stays the other project's, a run does not speak here. */
    "UPDATE main.run SET machine_id = NULL WHERE number IN (SELECT ours FROM temp.added) AND machine_id NOT IN (SELECT id FROM main.machine);";
/* clang-format on */

static int refuse_strange(struct sql *db, const char *from, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        int64_t strange;
        if (sql_query_integer(db, refusals[i].statement, 0, &strange, err) < 0)
            return error_prefix(err, "reading %s", from);
        if (strange)
            return error_set(err, ERROR_STORE, "cannot merge %s: %s; nothing was changed", from,
                             refusals[i].what);
    }
    return 0;
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
        sql_run(db, copy_runs, err) < 0 ||
        sql_query_integer(db, "SELECT count(*) FROM temp.added", 0, &out->runs, err) < 0 ||
        (out->runs && sql_run(db, copy_rows, err) < 0) || sql_run(db, copy_machines, err) < 0 ||
        sql_query_integer(db, "SELECT count(*) FROM main.machine", 0, &out->machines, err) < 0)
        return -1;
    out->machines -= before;
    return sql_commit(db, err);
}

int store_merge(const char *path, const char *from, struct store_merged *out, struct error *err)
{
    AUTO_SQL *db = NULL;
    struct store_merged merged = {0};
    /* Both versions are looked at before anything is opened for writing. */
    if (history_open(from, &db, err) < 0)
        return error_prefix(err, "merging %s", from);
    sql_close(TAKE(db));
    if (history_open(path, &db, err) < 0)
        return -1;
    sql_close(TAKE(db));
    if (sql_open(path, SQL_WRITE, BUSY_MS, &db, err) < 0 ||
        sql_run(db, "PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL", err) < 0 ||
        sql_attach(db, from, "other", err) < 0 || sql_begin(db, err) < 0)
        return -1;
    if (merge(db, from, &merged, err) < 0) {
        sql_rollback(db);
        return -1;
    }
    *out = merged;
    return 0;
}
