#include "store/schema.h"

#include "base/text.h"
#include "base/words.h"

#include <strings.h>

/* Rows of tasks are many: their words are numbers of `name`, and the primary key keeps one step's rows
 * together, so that a report of one step reads neighbouring pages whatever else the store holds. Status: 0
 * ok, 1 changed, 2 skipped, 3 failed, 4 unreachable (the first two cost no byte). Flags: 1 ignored, 2
 * rescued, 4 async, 8 handler, 16 not checked. Views use no JSON functions: with trusted_schema off (as
 * here) SQLite would refuse them. The columns of `event` behind detail are those of kind unreachable. */
/* clang-format off */
static const char version_1[] =
    "CREATE TABLE machine (\n"
    "  id TEXT PRIMARY KEY, project TEXT, target TEXT NOT NULL, provider TEXT NOT NULL,\n"
    "  reference TEXT, address TEXT, port INTEGER,\n"
    "  made_ns INTEGER NOT NULL, removed_ns INTEGER NOT NULL, record TEXT NOT NULL\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE INDEX machine_target ON machine (target, removed_ns, id);\n"
    "CREATE TABLE run (\n"
    "  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,\n"
    "  kind TEXT NOT NULL, target TEXT NOT NULL, recipe TEXT, provider TEXT, project TEXT,\n"
    "  group_id TEXT, parent_id TEXT, machine_id TEXT, ansible TEXT,\n"
    "  partial INTEGER NOT NULL, fresh INTEGER NOT NULL, extra_digest TEXT, plan TEXT,\n"
    "  pid INTEGER, pid_start INTEGER, boot_id TEXT, node TEXT,\n"
    "  started_ns INTEGER NOT NULL, duration_ns INTEGER, outcome TEXT, exit_code INTEGER, message TEXT\n"
    ") STRICT;\n"
    "CREATE INDEX run_started ON run (started_ns);\n"
    "CREATE INDEX run_target ON run (target, started_ns);\n"
    "CREATE INDEX run_open ON run (target) WHERE outcome IS NULL;\n"
    "CREATE INDEX run_tail ON run (substr(id, -8));\n"
    "CREATE TABLE step (\n"
    "  number INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE, seq INTEGER NOT NULL,\n"
    "  kind TEXT NOT NULL, name TEXT NOT NULL, attempt INTEGER NOT NULL,\n"
    "  transport TEXT, evidence TEXT, scope TEXT, log TEXT, events TEXT,\n"
    "  started_ns INTEGER NOT NULL, started_monotonic_ns INTEGER NOT NULL, deadline_ns INTEGER NOT NULL,\n"
    "  duration_ns INTEGER, outcome TEXT, cause TEXT, message TEXT, exit_code INTEGER, signal INTEGER,\n"
    "  ok INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,\n"
    "  skipped INTEGER NOT NULL DEFAULT 0, unreachable INTEGER NOT NULL DEFAULT 0,\n"
    "  ignored INTEGER NOT NULL DEFAULT 0, rescued INTEGER NOT NULL DEFAULT 0,\n"
    "  cpu_usec INTEGER, survivors_here INTEGER, survivors_host INTEGER, host_evidence TEXT,\n"
    "  event_bytes INTEGER NOT NULL DEFAULT 0, handlers_owed TEXT,\n"
    "  UNIQUE (run, seq)\n"
    ") STRICT;\n"
    "CREATE TABLE name (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;\n"
    "CREATE TABLE task (\n"
    "  step INTEGER NOT NULL REFERENCES step (number) ON DELETE CASCADE, seq INTEGER NOT NULL,\n"
    "  host INTEGER, play INTEGER, role INTEGER, task INTEGER, path INTEGER, action INTEGER,\n"
    "  status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 4), flags INTEGER NOT NULL, items INTEGER NOT NULL,\n"
    "  started_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL, message TEXT,\n"
    "  PRIMARY KEY (step, seq)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE INDEX task_bad ON task (step) WHERE status >= 3;\n"
    "CREATE TABLE event (\n"
    "  number INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE, step INTEGER,\n"
    "  at_ns INTEGER NOT NULL, kind TEXT NOT NULL, detail TEXT,\n"
    "  host TEXT, task TEXT, cause TEXT, cause_source TEXT, message TEXT, ignored INTEGER, transport TEXT\n"
    ") STRICT;\n"
    "CREATE INDEX event_run ON event (run, kind);\n"
    "CREATE UNIQUE INDEX event_lost ON event (run, step, at_ns, host) WHERE kind = 'unreachable';\n"
    "CREATE TABLE sample (\n"
    "  run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE, kind TEXT NOT NULL, at_ns INTEGER NOT NULL,\n"
    "  healthy INTEGER CHECK (healthy IN (0, 1)), value REAL, detail TEXT,\n"
    "  PRIMARY KEY (run, kind, at_ns)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE VIEW phase_timing AS\n"
    "  SELECT run.id AS run, run.target AS target, step.name AS step, step.attempt AS attempt,\n"
    "    step.transport AS transport, run.fresh AS fresh, run.ansible AS ansible, step.outcome AS outcome,\n"
    "    step.started_ns AS started_ns, step.duration_ns AS duration_ns\n"
    "  FROM step JOIN run ON run.number = step.run\n"
    "  WHERE step.kind = 'phase' AND run.partial = 0;\n"
    "CREATE VIEW unreachable AS\n"
    "  SELECT run.id AS run, step.name AS step, event.at_ns AS at_ns, event.host AS host, event.task AS task,\n"
    "    event.cause AS cause, event.cause_source AS cause_source, event.message AS message,\n"
    "    event.ignored AS ignored, event.transport AS transport\n"
    "  FROM event JOIN run ON run.number = event.run\n"
    "  LEFT JOIN step ON step.run = event.run AND step.seq = event.step\n"
    "  WHERE event.kind = 'unreachable';\n"
    "CREATE VIEW slowest_task AS\n"
    "  SELECT run.id AS run, step.name AS step, host.text AS host, role.text AS role, title.text AS task,\n"
    "    path.text AS path, task.duration_ns AS duration_ns\n"
    "  FROM task JOIN step ON step.number = task.step JOIN run ON run.number = step.run\n"
    "  LEFT JOIN name AS host ON host.number = task.host\n"
    "  LEFT JOIN name AS role ON role.number = task.role\n"
    "  LEFT JOIN name AS title ON title.number = task.task\n"
    "  LEFT JOIN name AS path ON path.number = task.path\n"
    "  ORDER BY task.duration_ns DESC;\n"
    "CREATE VIEW role_timing AS\n"
    "  SELECT run.id AS run, step.name AS step, host.text AS host, role.text AS role, count(*) AS tasks,\n"
    "    CAST(total(task.duration_ns) AS INTEGER) AS duration_ns\n"
    "  FROM task JOIN step ON step.number = task.step JOIN run ON run.number = step.run\n"
    "  LEFT JOIN name AS host ON host.number = task.host\n"
    "  LEFT JOIN name AS role ON role.number = task.role\n"
    "  GROUP BY run.id, step.name, host.text, role.text;\n"
    "CREATE VIEW health_window AS\n"
    "  WITH turn AS (\n"
    "    SELECT run, at_ns, healthy, healthy IS NOT lag(healthy) OVER (PARTITION BY run ORDER BY at_ns) AS turned\n"
    "    FROM sample WHERE kind = 'health' AND healthy IS NOT NULL),\n"
    "  part AS (\n"
    "    SELECT run, at_ns, healthy, sum(turned) OVER (PARTITION BY run ORDER BY at_ns) AS part FROM turn),\n"
    "  span AS (\n"
    "    SELECT run, part, healthy, min(at_ns) AS from_ns, max(at_ns) AS last_ns FROM part GROUP BY run, part)\n"
    "  SELECT run.id AS run, run.target AS target, span.from_ns AS from_ns,\n"
    "    coalesce(lead(span.from_ns) OVER (PARTITION BY span.run ORDER BY span.from_ns), span.last_ns) AS to_ns,\n"
    "    span.healthy AS healthy\n"
    "  FROM span JOIN run ON run.number = span.run;";
/* Order is that of the store, never that of the wall clock: a run's number says when it came, and one that
 * `store merge` brought is older than all that were made here. */
static const char version_2[] =
    "ALTER TABLE run ADD COLUMN merged INTEGER NOT NULL DEFAULT 0;\n"
    "ALTER TABLE machine ADD COLUMN number INTEGER NOT NULL DEFAULT 0;\n"
    "UPDATE machine SET number = (SELECT count(*) FROM machine AS earlier WHERE earlier.id <= machine.id);\n"
    "DROP INDEX run_started;\n"
    "DROP INDEX run_target;\n"
    "CREATE INDEX run_order ON run (merged, number DESC);\n"
    "CREATE INDEX run_target ON run (target, merged, number DESC);";
/* A static host was called a fresh machine in the run that met it first. */
static const char static_is_never_fresh[] = "UPDATE run SET fresh = 0 WHERE provider = 'static' AND fresh;";
/* Paths in the project's folder are named from there, so that it can be moved. */
static const char paths_from_the_project[] =
    "CREATE TEMP TABLE place AS SELECT id, json_extract(record, '$.directory') AS folder, json_extract(record, '$.key') AS key,\n"
    "  substr(json_extract(record, '$.directory'), 1, length(json_extract(record, '$.directory')) - length('/.triphase/machines/' || id)) AS project\n"
    "  FROM main.machine WHERE json_valid(record) AND json_extract(record, '$.directory') LIKE '/%/.triphase/machines/' || id;\n"
    "UPDATE main.machine SET record = json_set(record, '$.directory', '.triphase/machines/' || id,\n"
    "  '$.key', (SELECT CASE WHEN substr(key, 1, length(project) + 1) = project || '/' THEN substr(key, length(project) + 2) ELSE key END\n"
    "    FROM temp.place WHERE place.id = machine.id)) WHERE id IN (SELECT id FROM temp.place);\n"
    "DROP TABLE temp.place;";
/* A cycle is looked for among runs that are mostly none, whose rows are large. */
static const char index_of_cycles[] =
    "CREATE INDEX run_group ON run (group_id, merged, number, target) WHERE group_id IS NOT NULL;";
/* The row of the table of verdicts that fitted, and what was seen then. */
static const char verdicts[] =
    "ALTER TABLE run ADD COLUMN verdict TEXT; ALTER TABLE run ADD COLUMN seen TEXT;\n"
    "ALTER TABLE step ADD COLUMN verdict TEXT; ALTER TABLE step ADD COLUMN seen TEXT;";
/* A diagnosis is no run: it is of a target, and stays when runs go. */
static const char diagnoses[] =
    "CREATE TABLE diagnosis (\n"
    "  id TEXT PRIMARY KEY, target TEXT NOT NULL, size TEXT NOT NULL, node TEXT,\n"
    "  started_ns INTEGER NOT NULL, duration_ns INTEGER,\n"
    "  variable TEXT, transport TEXT, sure TEXT, conclusion TEXT, surroundings TEXT\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE INDEX diagnosis_target ON diagnosis (target, started_ns);\n"
    "CREATE TABLE diagnosis_cell (\n"
    "  diagnosis TEXT NOT NULL REFERENCES diagnosis (id) ON DELETE CASCADE, seq INTEGER NOT NULL, at_ns INTEGER NOT NULL,\n"
    "  transport TEXT NOT NULL, client TEXT NOT NULL, work TEXT NOT NULL, parameters TEXT NOT NULL,\n"
    "  ok INTEGER NOT NULL CHECK (ok IN (0, 1)), ended TEXT NOT NULL, message TEXT,\n"
    "  duration_ns INTEGER NOT NULL, last_good_ns INTEGER NOT NULL, bytes INTEGER NOT NULL, stalls INTEGER NOT NULL,\n"
    "  tcp_state TEXT, path TEXT,\n"
    "  PRIMARY KEY (diagnosis, seq)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE VIEW diagnosed AS\n"
    "  SELECT id AS diagnosis, target, node, size, started_ns, duration_ns, variable, transport, sure FROM diagnosis\n"
    "  WHERE duration_ns IS NOT NULL;\n"
    "CREATE VIEW diagnosed_cell AS\n"
    "  SELECT diagnosis, at_ns, transport, client, work, parameters, ok, ended, duration_ns, last_good_ns, bytes, stalls, path\n"
    "  FROM diagnosis_cell;";
/* The path of a tailnet during a step, as it was sampled. */
static const char paths[] =
    "CREATE VIEW path_sample AS\n"
    "  SELECT run.id AS run, step.name AS step, step.attempt AS attempt, step.transport AS transport,\n"
    "    sample.at_ns AS at_ns, sample.at_ns - step.started_ns AS after_ns, sample.healthy AS direct, sample.detail AS detail\n"
    "  FROM sample JOIN run ON run.number = sample.run\n"
    "  JOIN step ON step.run = sample.run AND step.kind = 'phase' AND sample.at_ns >= step.started_ns\n"
    "    AND (step.duration_ns IS NULL OR sample.at_ns <= step.started_ns + step.duration_ns)\n"
    "  WHERE sample.kind = 'path';";
/* When `sweep` may take a machine; of those that were made before nobody said. */
static const char expiry[] = "ALTER TABLE machine ADD COLUMN expires_ns INTEGER NOT NULL DEFAULT 0;";
/* What the phase's Ansible was made faster with. All phases of before were what is `warm` since. */
static const char acceleration[] =
    "ALTER TABLE step ADD COLUMN accelerated TEXT; ALTER TABLE step ADD COLUMN accelerated_why TEXT;\n"
    "DROP VIEW phase_timing;\n"
    "CREATE VIEW phase_timing AS\n"
    "  SELECT run.id AS run, run.target AS target, step.name AS step, step.attempt AS attempt,\n"
    "    step.transport AS transport, run.fresh AS fresh, run.ansible AS ansible, step.outcome AS outcome,\n"
    "    step.started_ns AS started_ns, step.duration_ns AS duration_ns,\n"
    "    coalesce(step.accelerated, 'warm') AS accelerated\n"
    "  FROM step JOIN run ON run.number = step.run\n"
    "  WHERE step.kind = 'phase' AND run.partial = 0;";
/* clang-format on */

const char *store_migration(int version)
{
    static const char *const migrations[STORE_VERSION] = {version_1,
                                                          version_2,
                                                          static_is_never_fresh,
                                                          paths_from_the_project,
                                                          index_of_cycles,
                                                          verdicts,
                                                          diagnoses,
                                                          paths,
                                                          expiry,
                                                          acceleration};
    return migrations[version];
}

/* Name and text of everything in a schema, one after the other; what SQLite makes by itself has no text. */
static int read_schema(struct sql *db, struct words *out, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    int row;
    if (sql_prepare(db, "SELECT name, coalesce(sql, ''), type FROM sqlite_schema", &query, err) < 0)
        return -1;
    while ((row = sql_step(query, err)) > 0) {
        const char *name = sql_text(query, 0), *text = sql_text(query, 1);
        /* Nothing here has triggers: one would act whenever a row is written. */
        words_add(out, text_is(sql_text(query, 2), "trigger") ? "" : name ? name : "");
        words_add(out, text ? text : "");
    }
    return row;
}

/* A view in the place of a table can go on for ever. What else somebody added to the store is never asked. */
static int check_schema(struct sql *db, const char *path, int version, struct error *err)
{
    AUTO_SQL *model = NULL;
    AUTO_WORDS own = WORDS_INIT, found = WORDS_INIT;
    if (sql_open(":memory:", SQL_CREATE, 0, &model, err) < 0)
        return -1;
    for (int i = 0; i < version; i++)
        if (sql_run(model, store_migration(i), err) < 0)
            return -1;
    if (read_schema(model, &own, err) < 0 || read_schema(db, &found, err) < 0)
        return -1;
    for (size_t i = 0; i < found.count; i += 2) {
        bool strange = !*found.items[i];
        for (size_t j = 0; !strange && j < own.count; j += 2)
            strange = strcasecmp(own.items[j], found.items[i]) == 0 &&
                      !text_is(own.items[j + 1], found.items[i + 1]);
        if (strange)
            return error_set(
                err, ERROR_STORE,
                "%s: its tables, indexes or views are not those of this version; nothing of it is"
                " read, move it away",
                path);
    }
    return 0;
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
                         "store %s was written by a newer triphase (its version is %lld, this program knows"
                         " %d); use that one, nothing was changed",
                         path, (long long)version, STORE_VERSION);
    if (version < 0)
        return error_set(err, ERROR_STORE, "store %s says that its version is %lld; move it away", path,
                         (long long)version);
    if (check_schema(db, path, (int)version, err) < 0)
        return -1;
    *out = (int)version;
    return 0;
}
