#include "data/store_schema.h"

/* Rows of tasks are many: their words are numbers of `name`, and the primary key keeps one step's rows together, so that a report of one
 * step reads neighbouring pages whatever else the store holds. Status: 0 ok, 1 changed, 2 skipped, 3 failed, 4 unreachable (the
 * first two cost no byte). Flags: 1 ignored, 2 rescued, 4 async, 8 handler. Views use no JSON functions: with trusted_schema off (as here) SQLite
 * would refuse them. The columns of `event` behind detail are those of kind unreachable. */
static const char version_1[] =
    "CREATE TABLE machine ("
    " id TEXT PRIMARY KEY, project TEXT, target TEXT NOT NULL, provider TEXT NOT NULL, reference TEXT, "
    "address TEXT, port INTEGER,"
    " made_ns INTEGER NOT NULL, removed_ns INTEGER NOT NULL, record TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX machine_target ON machine (target, removed_ns, id);"
    "CREATE TABLE run ("
    " number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, target TEXT NOT NULL, recipe "
    "TEXT, provider TEXT,"
    " project TEXT, group_id TEXT, parent_id TEXT, machine_id TEXT, ansible TEXT, partial INTEGER NOT NULL, "
    "fresh INTEGER NOT NULL,"
    " extra_digest TEXT, plan TEXT, pid INTEGER, pid_start INTEGER, boot_id TEXT, node TEXT, started_ns "
    "INTEGER NOT NULL,"
    " duration_ns INTEGER, outcome TEXT, exit_code INTEGER, message TEXT"
    ") STRICT;"
    "CREATE INDEX run_started ON run (started_ns);"
    "CREATE INDEX run_target ON run (target, started_ns);"
    "CREATE INDEX run_open ON run (target) WHERE outcome IS NULL;"
    "CREATE INDEX run_tail ON run (substr(id, -8));"
    "CREATE TABLE step ("
    " number INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE, seq "
    "INTEGER NOT NULL,"
    " kind TEXT NOT NULL, name TEXT NOT NULL, attempt INTEGER NOT NULL, transport TEXT, evidence TEXT, scope "
    "TEXT, log TEXT, events TEXT,"
    " started_ns INTEGER NOT NULL, started_monotonic_ns INTEGER NOT NULL, deadline_ns INTEGER NOT NULL,"
    " duration_ns INTEGER, outcome TEXT, cause TEXT, message TEXT, exit_code INTEGER, signal INTEGER,"
    " ok INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,"
    " skipped INTEGER NOT NULL DEFAULT 0, unreachable INTEGER NOT NULL DEFAULT 0, ignored INTEGER NOT NULL "
    "DEFAULT 0,"
    " rescued INTEGER NOT NULL DEFAULT 0, cpu_usec INTEGER, survivors_here INTEGER, survivors_host INTEGER, "
    "host_evidence TEXT,"
    " event_bytes INTEGER NOT NULL DEFAULT 0, handlers_owed TEXT, UNIQUE (run, seq)"
    ") STRICT;"
    "CREATE TABLE name (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE task ("
    " step INTEGER NOT NULL REFERENCES step (number) ON DELETE CASCADE, seq INTEGER NOT NULL,"
    " host INTEGER, play INTEGER, role INTEGER, task INTEGER, path INTEGER, action INTEGER,"
    " status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 4), flags INTEGER NOT NULL, items INTEGER NOT NULL,"
    " started_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL, message TEXT, PRIMARY KEY (step, seq)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX task_bad ON task (step) WHERE status >= 3;"
    "CREATE TABLE event ("
    " number INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE, step "
    "INTEGER, at_ns INTEGER NOT NULL,"
    " kind TEXT NOT NULL, detail TEXT,"
    " host TEXT, task TEXT, cause TEXT, cause_source TEXT, message TEXT, ignored INTEGER, transport TEXT"
    ") STRICT;"
    "CREATE INDEX event_run ON event (run, kind);"
    "CREATE TABLE sample ("
    " run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE, kind TEXT NOT NULL, at_ns INTEGER NOT "
    "NULL,"
    " healthy INTEGER CHECK (healthy IN (0, 1)), value REAL, detail TEXT, PRIMARY KEY (run, kind, at_ns)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE VIEW phase_timing AS"
    " SELECT run.id AS run, run.target AS target, step.name AS step, step.attempt AS attempt, step.transport "
    "AS transport,"
    " run.fresh AS fresh, run.ansible AS ansible, step.outcome AS outcome, step.started_ns AS started_ns, "
    "step.duration_ns AS duration_ns"
    " FROM step JOIN run ON run.number = step.run WHERE step.kind = 'phase' AND run.partial = 0;"
    "CREATE VIEW unreachable AS"
    " SELECT run.id AS run, step.name AS step, event.at_ns AS at_ns, event.host AS host, event.task AS task, "
    "event.cause AS cause,"
    " event.cause_source AS cause_source, event.message AS message, event.ignored AS ignored, "
    "event.transport AS transport"
    " FROM event JOIN run ON run.number = event.run LEFT JOIN step ON step.run = event.run AND step.seq = "
    "event.step"
    " WHERE event.kind = 'unreachable';"
    "CREATE VIEW slowest_task AS"
    " SELECT run.id AS run, step.name AS step, host.text AS host, role.text AS role, title.text AS task, "
    "path.text AS path,"
    " task.duration_ns AS duration_ns"
    " FROM task JOIN step ON step.number = task.step JOIN run ON run.number = step.run LEFT JOIN name AS "
    "host ON host.number = task.host"
    " LEFT JOIN name AS role ON role.number = task.role LEFT JOIN name AS title ON title.number = task.task"
    " LEFT JOIN name AS path ON path.number = task.path ORDER BY task.duration_ns DESC;"
    "CREATE VIEW role_timing AS"
    " SELECT run.id AS run, step.name AS step, host.text AS host, role.text AS role, count(*) AS tasks,"
    " CAST(total(task.duration_ns) AS INTEGER) AS duration_ns"
    " FROM task JOIN step ON step.number = task.step JOIN run ON run.number = step.run LEFT JOIN name AS "
    "host ON host.number = task.host"
    " LEFT JOIN name AS role ON role.number = task.role GROUP BY run.id, step.name, host.text, role.text;"
    "CREATE VIEW health_window AS"
    " WITH turn AS (SELECT run, at_ns, healthy, healthy IS NOT lag(healthy) OVER (PARTITION BY run ORDER BY "
    "at_ns) AS turned"
    " FROM sample WHERE kind = 'health' AND healthy IS NOT NULL),"
    " part AS (SELECT run, at_ns, healthy, sum(turned) OVER (PARTITION BY run ORDER BY at_ns) AS part FROM "
    "turn),"
    " span AS (SELECT run, part, healthy, min(at_ns) AS from_ns, max(at_ns) AS last_ns FROM part GROUP BY "
    "run, part)"
    " SELECT run.id AS run, run.target AS target, span.from_ns AS from_ns,"
    " coalesce(lead(span.from_ns) OVER (PARTITION BY span.run ORDER BY span.from_ns), span.last_ns) AS "
    "to_ns, span.healthy AS healthy"
    " FROM span JOIN run ON run.number = span.run;";

const char *store_migration(int version)
{
    static const char *const migrations[STORE_VERSION] = {version_1};
    return migrations[version];
}

int store_version(struct sql *db, const char *path, int *out, struct error *err)
{
    int64_t version, application, tables;
    if (sql_query_integer(db, "PRAGMA user_version", 0, &version, err) < 0 ||
        sql_query_integer(db, "PRAGMA application_id", 0, &application, err) < 0 ||
        sql_query_integer(db, "SELECT count(*) FROM sqlite_schema", 0, &tables, err) < 0)
        return -1;
    if (application != STORE_APPLICATION && !(application == 0 && version == 0 && tables == 0))
        return error_set(err, ERROR_STORE, "%s is a database, but no store of triphase; move it away", path);
    if (version > STORE_VERSION)
        return error_set(err, ERROR_STORE,
                         "store %s was written by a newer triphase (its version is %lld, this program knows "
                         "%d); use that one, nothing was changed",
                         path, (long long)version, STORE_VERSION);
    *out = (int)version;
    return 0;
}
