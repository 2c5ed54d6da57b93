#include "data/store_maintain.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "data/history.h"
#include "data/layout.h"
#include "mechanism/sql.h"

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
    {"a row without the one it belongs to: ", "SELECT \"table\" || ' row ' || coalesce(rowid, '?') || ' of"
                                              " ' || parent FROM pragma_foreign_key_check LIMIT 20"},
    {"a task with an unknown word: ",
     "SELECT 'step ' || task.step || ', task ' || task.seq FROM task,"
     " (SELECT coalesce(max(number), 0) AS last FROM name) WHERE max(coalesce(host, 0), coalesce(play, 0),"
     " coalesce(role, 0),"
     " coalesce(task, 0), coalesce(path, 0), coalesce(action, 0)) > last LIMIT 20"},
    {"a run of a machine that is not in the store: ",
     "SELECT id || ' (machine ' || machine_id || ')' FROM run WHERE machine_id IS NOT NULL"
     " AND machine_id NOT IN (SELECT id FROM machine) LIMIT 20"},
    {"an event of a step that is not in the store: ",
     "SELECT 'event ' || number FROM event WHERE step IS NOT NULL"
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
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        AUTO_ERROR why = ERROR_INIT;
        if (find(db, checks[i].statement, checks[i].prefix, findings, &why) < 0)
            words_addf(findings, "unreadable: %s", error_text(&why));
    }
    int64_t runs = 0, steps = 0, tasks = 0, events = 0, machines = 0;
    if (!findings->count && (sql_query_integer(db, "SELECT count(*) FROM run", 0, &runs, err) < 0 ||
                             sql_query_integer(db, "SELECT count(*) FROM step", 0, &steps, err) < 0 ||
                             sql_query_integer(db, "SELECT count(*) FROM task", 0, &tasks, err) < 0 ||
                             sql_query_integer(db, "SELECT count(*) FROM event", 0, &events, err) < 0 ||
                             sql_query_integer(db, "SELECT count(*) FROM machine", 0, &machines, err) < 0))
        return -1;
    *summary = xasprintf("%lld runs, %lld steps, %lld tasks, %lld events, %lld machines", (long long)runs,
                         (long long)steps, (long long)tasks, (long long)events, (long long)machines);
    return 0;
}

/* ---- prune ---- */

static int prunable(struct sql *db, int64_t before_ns, struct words *out, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    int row;
    if (sql_prepare(
            db,
            "SELECT id FROM run WHERE outcome IS NOT NULL AND started_ns + coalesce(duration_ns, 0) < ?1"
            " AND id NOT IN (SELECT parent_id FROM run WHERE outcome IS NULL AND parent_id IS NOT NULL)",
            &query, err) < 0)
        return -1;
    sql_bind_integer(query, 1, before_ns);
    while ((row = sql_step(query, err)) > 0)
        words_add(out, sql_text(query, 0));
    return row;
}

static int remove_folder(const char *state, const char *run, struct error *err)
{
    if (!id_is(run)) /* never a path that a row made up */
        return 0;
    AUTO_FREE char *path = layout_run(state, run);
    return file_remove_tree(path, err);
}

/* Folders whose run has no row: a prune that was killed, or a run whose first row was never written. */
static int remove_strays(struct sql *db, const char *state, int64_t before_ns, int64_t *removed,
                         struct error *err)
{
    AUTO_FREE char *runs = file_join(state, "runs");
    AUTO_WORDS names = WORDS_INIT;
    AUTO_STATEMENT *query = NULL;
    if (file_list(runs, &names, err) < 0 ||
        sql_prepare(db, "SELECT 1 FROM run WHERE id = ?1", &query, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = file_join(runs, names.items[i]);
        struct stat folder;
        if (!id_is(names.items[i]) || lstat(path, &folder) < 0 || !S_ISDIR(folder.st_mode) ||
            folder.st_mtim.tv_sec >= before_ns / NS_PER_S)
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

/* One run in one short transaction, so that no worker waits long. */
static int remove_run(struct sql *db, const char *id, struct error *err)
{
    AUTO_STATEMENT *remove = NULL;
    if (sql_prepare(db, "DELETE FROM run WHERE id = ?1 AND outcome IS NOT NULL", &remove, err) < 0)
        return -1;
    sql_bind_text(remove, 1, id);
    return sql_do(remove, err);
}

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
    if (sql_open(path, SQL_WRITE, BUSY_MS, &db, err) < 0 || prunable(db, before_ns, &ids, err) < 0)
        return -1;
    for (size_t i = 0; i < ids.count; i++, pruned.runs++)
        if (remove_run(db, ids.items[i], err) < 0 || remove_folder(state, ids.items[i], err) < 0)
            return -1;
    if (remove_strays(db, state, before_ns, &pruned.folders, err) < 0 ||
        remove_machines(db, before_ns, &pruned.machines, err) < 0)
        return -1;
    if (pruned.runs &&
        sql_run(db,
                "DELETE FROM name WHERE number NOT IN (SELECT host FROM task WHERE host IS NOT NULL"
                " UNION SELECT play FROM task WHERE play IS NOT NULL UNION SELECT role FROM task WHERE role"
                " IS NOT NULL"
                " UNION SELECT task FROM task WHERE task IS NOT NULL UNION SELECT path FROM task WHERE path"
                " IS NOT NULL"
                " UNION SELECT action FROM task WHERE action IS NOT NULL)",
                err) < 0)
        return -1;
    /* A reader may hold it up: then the next writer does it. */
    sql_query_integer(db, "PRAGMA wal_checkpoint(TRUNCATE)", 0, &ignored, NULL);
    *out = pruned;
    return 0;
}

/* ---- export ---- */

int store_export(const char *path, const char *to, struct error *err)
{
    AUTO_SQL *db = NULL;
    AUTO_STATEMENT *copy = NULL;
    if (history_open(path, &db, err) < 0 || sql_prepare(db, "VACUUM INTO ?1", &copy, err) < 0)
        return -1;
    AUTO_CLOSE int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_system(err, errno, "cannot make %s for the copy of the store", to);
    /* SQLite takes "file:..." for a URI. */
    AUTO_FREE char *name = *to == '/' ? xstrdup(to) : xasprintf("./%s", to);
    sql_bind_text(copy, 1, name);
    if (sql_do(copy, err) < 0 || fsync(fd) < 0) {
        error_prefix(err, "exporting to %s", to);
        unlink(to);
        return -1;
    }
    return 0;
}
