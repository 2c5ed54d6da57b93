#include "store/history_drift.h"

#include "base/memory.h"

/* Drifts that were not over well say nothing of what they did not find. A task is the same wherever it stands
 * in its file. */
static const char found[] =
    "WITH this AS (SELECT number, target, started_ns FROM run WHERE id = ?1),"
    " earlier AS (SELECT run.number AS number, run.started_ns AS started_ns FROM run JOIN this"
    "  ON run.target = this.target WHERE run.kind = 'drift' AND run.outcome = 'ok'"
    "  AND run.number < this.number AND run.merged = 0),"
    " last AS (SELECT max(number) AS number FROM step WHERE run = (SELECT number FROM this)"
    "  AND kind = 'phase' GROUP BY name),"
    " one AS (SELECT step.name AS phase, host, role, task, path, action, status <> 1 AS unchecked,"
    "  min(step.seq) AS step, min(task.seq) AS seq FROM last JOIN step ON step.number = last.number"
    "  CROSS JOIN task ON task.step = step.number WHERE status = 1 OR (flags & 16 AND status < 3)"
    "  GROUP BY step.name, host, role, task, path, action, status <> 1)"
    " SELECT phase, host.text, role.text, title.text, path.text, action.text, unchecked,"
    "  (SELECT coalesce(min(started_ns), (SELECT started_ns FROM this)) FROM earlier WHERE number > coalesce("
    "   (SELECT max(without.number) FROM earlier AS without WHERE NOT EXISTS (SELECT 1 FROM step"
    "    CROSS JOIN task ON task.step = step.number WHERE step.run = without.number AND step.name = one.phase"
    "    AND task.status = 1 AND task.host IS one.host AND task.role IS one.role AND task.task IS "
    "one.task)), 0))"
    " FROM one LEFT JOIN name AS host ON host.number = one.host LEFT JOIN name AS role ON role.number = "
    "one.role"
    " LEFT JOIN name AS title ON title.number = one.task LEFT JOIN name AS path ON path.number = one.path"
    " LEFT JOIN name AS action ON action.number = one.action ORDER BY step, seq";

static char *column(struct sql_statement *row, int at)
{
    return xstrdup_or_null(sql_text(row, at));
}

int history_drift(struct sql *db, const char *run, struct history_drift **out, size_t *count,
                  struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    struct history_drift *drift = NULL;
    size_t length = 0;
    int row;
    if (sql_prepare(db, found, &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, run);
    while ((row = sql_step(query, err)) > 0) {
        drift = xreallocarray(drift, length + 1, sizeof *drift);
        bool unchecked = sql_integer(query, 6) != 0;
        drift[length++] = (struct history_drift){.phase = column(query, 0),
                                                 .host = column(query, 1),
                                                 .role = column(query, 2),
                                                 .task = column(query, 3),
                                                 .path = column(query, 4),
                                                 .action = column(query, 5),
                                                 .unchecked = unchecked,
                                                 .since_ns = unchecked ? 0 : sql_integer(query, 7)};
    }
    if (row < 0) {
        history_drift_free(drift, length);
        return -1;
    }
    *out = drift;
    *count = length;
    return 0;
}

void history_drift_free(struct history_drift *drift, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *const texts[] = {drift[i].phase, drift[i].host, drift[i].role,
                               drift[i].task,  drift[i].path, drift[i].action};
        for (size_t k = 0; k < COUNT_OF(texts); k++)
            free(texts[k]);
    }
    free(drift);
}

int history_drift_run(struct sql *db, const char *target, int64_t after, char **out, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    if (sql_prepare(db,
                    "SELECT id FROM run WHERE target = ?1 AND kind = 'drift' AND merged = 0 AND number > ?2"
                    " ORDER BY number DESC LIMIT 1",
                    &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, target);
    sql_bind_integer(query, 2, after);
    int row = sql_step(query, err);
    if (row < 0)
        return -1;
    *out = row ? column(query, 0) : NULL;
    return 0;
}

int history_drift_newest(struct sql *db, int64_t *out, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    if (sql_prepare(db, "SELECT coalesce(max(number), 0) FROM run", &query, err) < 0 ||
        sql_step(query, err) < 0)
        return -1;
    *out = sql_integer(query, 0);
    return 0;
}
