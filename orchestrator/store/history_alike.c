#include "store/history_alike.h"

#include "base/memory.h"

/* The same in the plans of both runs. */
#define SAME(member)                                                                     \
    "CASE WHEN json_valid(run.plan) THEN json_extract(run.plan, '$." member "') END IS " \
    "CASE WHEN json_valid(this.plan) THEN json_extract(this.plan, '$." member "') END"

/* clang-format off */
static const char alike[] =
    "SELECT step.number, step.duration_ns, ok + changed + failed + skipped + unreachable + ignored + rescued,"
    " CASE WHEN run.outcome = 'ok' AND run.kind = this.kind AND " SAME("asked")
    "  THEN max(0, run.duration_ns - (step.started_ns - run.started_ns) - step.duration_ns) ELSE -1 END"
    " FROM (SELECT * FROM run WHERE target = ?1 AND id <> ?2 ORDER BY " HISTORY_NEWEST_FIRST " LIMIT 200) AS run"
    "  JOIN run AS this ON this.id = ?2 JOIN step ON step.run = run.number"
    " WHERE run.kind <> 'resume' AND run.fresh = ?3 AND run.partial = this.partial"
    " AND run.recipe IS this.recipe AND run.provider IS this.provider AND run.ansible IS this.ansible"
    " AND run.extra_digest IS this.extra_digest AND " SAME("dry_run") " AND " SAME("arguments")
    " AND step.kind = ?4 AND step.name = ?5 AND step.transport IS ?6"
    " AND coalesce(step.accelerated, 'warm') = coalesce(?7, 'warm') AND (step.attempt = 1 OR ?8 > 1)"
    " AND step.outcome = 'ok' AND step.duration_ns >= 0"
    " ORDER BY " HISTORY_NEWEST_FIRST ", step.seq DESC LIMIT ?9";
/* clang-format on */

int history_alike(struct sql *db, const struct history_run *run, const struct history_step *step, bool fresh,
                  int most, struct history_alike **out, size_t *count, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    if (sql_prepare(db, alike, &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, run->target);
    sql_bind_text(query, 2, run->id);
    sql_bind_integer(query, 3, fresh);
    sql_bind_text(query, 4, step->kind);
    sql_bind_text(query, 5, step->name);
    sql_bind_text(query, 6, step->transport);
    sql_bind_text(query, 7, step->accelerated);
    sql_bind_integer(query, 8, step->attempt);
    sql_bind_integer(query, 9, most);
    struct history_alike *list = xcalloc((size_t)most, sizeof *list);
    size_t length = 0;
    int row;
    while ((row = sql_step(query, err)) > 0)
        list[length++] = (struct history_alike){.number = sql_integer(query, 0),
                                                .duration_ns = sql_integer(query, 1),
                                                .tasks = sql_integer(query, 2),
                                                .behind_ns = sql_integer(query, 3)};
    if (row < 0) {
        free(list);
        return -1;
    }
    *out = list;
    *count = length;
    return 0;
}

int history_alike_tasks(struct sql *db, int64_t number, int64_t most,
                        void (*tell)(void *, const struct history_alike_task *), void *context,
                        struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    if (sql_prepare(db,
                    "SELECT host.text, role.text, title.text, task.status,"
                    " task.started_ns - step.started_ns + task.duration_ns"
                    " FROM step CROSS JOIN task ON task.step = step.number"
                    " LEFT JOIN name AS host ON host.number = task.host"
                    " LEFT JOIN name AS role ON role.number = task.role"
                    " LEFT JOIN name AS title ON title.number = task.task"
                    " WHERE step.number = ?1 ORDER BY task.seq LIMIT ?2",
                    &query, err) < 0)
        return -1;
    sql_bind_integer(query, 1, number);
    sql_bind_integer(query, 2, most);
    int row;
    while ((row = sql_step(query, err)) > 0)
        tell(context, &(struct history_alike_task){.host = sql_text(query, 0),
                                                   .role = sql_text(query, 1),
                                                   .task = sql_text(query, 2),
                                                   .status = (int)sql_integer(query, 3),
                                                   .ended_ns = sql_integer(query, 4)});
    return row;
}
