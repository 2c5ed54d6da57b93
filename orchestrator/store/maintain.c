#include "store/maintain.h"

#include "base/file.h"
#include "base/memory.h"
#include "format/sql.h"
#include "store/batch.h"
#include "store/history.h"
#include "store/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 10000, FINDINGS = 100 };

/* ---- check ---- */

/* Adds the text of each row of the query, behind a prefix. */
static int find(struct sql *db, const char *statement, const char *prefix, struct words *findings,
                struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    int row;
    if (sql_prepare(db, statement, &query, err) < 0)
        return -1;
    while ((row = sql_step(query, err)) > 0 && findings->count < FINDINGS) {
        const char *text = sql_text(query, 0);
        if (!text_is(text, "ok"))
            words_addf(findings, "%s%s", prefix, text ? text : "");
    }
    return row < 0 ? -1 : 0;
}

static const struct {
    const char *prefix, *statement;
} checks[] = {
    {"damaged: ", "PRAGMA integrity_check(20)"},
    {"a row without the one it belongs to: ",
     "SELECT \"table\" || ' row ' || coalesce(rowid, '?') || ' of ' || parent FROM pragma_foreign_key_check"
     " WHERE \"table\" NOT IN ('task', 'event', 'sample') LIMIT 20"},
    {"a row without the one it belongs to: ",
     "SELECT 'event row ' || number || ' of run' FROM event WHERE NOT (" STORE_HALF_OF_RUN
     ") AND run NOT IN (SELECT number FROM run) LIMIT 20"},
    {"a row without the one it belongs to: ",
     "SELECT DISTINCT 'sample of run ' || run FROM sample WHERE NOT (" STORE_HALF_OF_RUN
     ") AND run NOT IN (SELECT number FROM run) LIMIT 20"},
    {"tasks without the step that they belong to: ",
     "SELECT DISTINCT 'step ' || step FROM task WHERE NOT (" STORE_HALF
     ") AND step NOT IN (SELECT number FROM step) LIMIT 20"},
    {"a task with an unknown word: ",
     "SELECT 'step ' || task.step || ', task ' || task.seq FROM task,"
     " (SELECT coalesce(max(number), 0) AS last FROM name) WHERE max(coalesce(host, 0), coalesce(play, 0),"
     " coalesce(role, 0),"
     " coalesce(task, 0), coalesce(path, 0), coalesce(action, 0)) > last LIMIT 20"},
    {"a run of a machine that is not in the store: ",
     "SELECT id || ' (machine ' || machine_id || ')' FROM run WHERE machine_id IS NOT NULL"
     " AND machine_id NOT IN (SELECT id FROM machine) LIMIT 20"},
    {"an event of a step that is not in the store: ",
     "SELECT 'event ' || number FROM event WHERE step IS NOT NULL AND NOT (" STORE_HALF_OF_RUN ")"
     " AND NOT EXISTS (SELECT 1 FROM step WHERE step.run = event.run AND step.seq = event.step) LIMIT 20"},
    {"a step without an end in a run that ended: ",
     "SELECT run.id || ' step ' || step.seq FROM step JOIN run ON run.number = step.run"
     " WHERE step.outcome IS NULL AND run.outcome IS NOT NULL LIMIT 20"},
};

int store_check(const char *path, struct words *findings, char **summary, struct error *err)
{
    AUTO_SQL *db = NULL;
    if (history_open(path, &db, err) < 0)
        return -1;
    sql_step_aside(&db);
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        AUTO_ERROR why = ERROR_INIT;
        if (find(db, checks[i].statement, checks[i].prefix, findings, &why) < 0)
            words_addf(findings, "unreadable: %s", error_text(&why));
    }
    int64_t runs = 0, steps = 0, tasks = 0, events = 0, machines = 0;
    if (!findings->count &&
        (sql_query_integer(db, "SELECT count(*) FROM run", 0, &runs, err) < 0 ||
         sql_query_integer(db, "SELECT count(*) FROM step", 0, &steps, err) < 0 ||
         sql_query_integer(db, "SELECT count(*) FROM task WHERE NOT (" STORE_HALF ")", 0, &tasks, err) < 0 ||
         sql_query_integer(db, "SELECT count(*) FROM event WHERE NOT (" STORE_HALF_OF_RUN ")", 0, &events,
                           err) < 0 ||
         sql_query_integer(db, "SELECT count(*) FROM machine", 0, &machines, err) < 0))
        return -1;
    *summary = xasprintf("%lld runs, %lld steps, %lld tasks, %lld events, %lld machines", (long long)runs,
                         (long long)steps, (long long)tasks, (long long)events, (long long)machines);
    return 0;
}

/* ---- export ---- */

int store_copy(struct sql *db, const char *to, struct error *err)
{
    AUTO_STATEMENT *copy = NULL;
    if (sql_prepare(db, "VACUUM INTO ?1", &copy, err) < 0)
        return -1;
    AUTO_CLOSE int fd = file_create(to, O_WRONLY | O_EXCL, 0600);
    if (fd < 0)
        return error_system(err, errno, "cannot make %s for the copy of the store", to);
    /* SQLite takes "file:..." for a URI. */
    AUTO_FREE char *name = *to == '/' ? xstrdup(to) : xasprintf("./%s", to);
    sql_bind_text(copy, 1, name);
    if (sql_do(copy, err) < 0 || fsync(fd) < 0) {
        error_prefix(err, "copying to %s", to);
        unlink(to);
        return -1;
    }
    return 0;
}

int store_export(const char *path, const char *to, struct error *err)
{
    AUTO_SQL *db = NULL;
    if (history_open(path, &db, err) < 0)
        return -1;
    sql_step_aside(&db);
    return store_copy(db, to, err);
}

int store_disown_runs(const char *path, struct error *err)
{
    AUTO_SQL *db = NULL;
    int version;
    if (sql_open(path, SQL_WRITE, BUSY_MS, &db, err) < 0 || store_version(db, path, &version, err) < 0)
        return -1;
    return version == 0
               ? 0
               : sql_run(
                     db,
                     "BEGIN IMMEDIATE;"
                     "UPDATE step SET outcome = 'crashed', message = 'it ran while this project was copied'"
                     " WHERE outcome IS NULL;"
                     "UPDATE run SET outcome = 'crashed', exit_code = 70,"
                     " message = 'it ran while this project was copied' WHERE outcome IS NULL;"
                     "COMMIT",
                     err);
}
