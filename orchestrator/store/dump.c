#include "store/dump.h"

#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"

#include <string.h>

#define RUN "(SELECT number FROM run WHERE id = ?1)"

static const struct {
    const char *table, *query;
} tables[] = {
    {"machine", "SELECT * FROM machine WHERE id = (SELECT machine_id FROM run WHERE id = ?1)"},
    {"run", "SELECT * FROM run WHERE id = ?1"},
    {"step", "SELECT * FROM step WHERE run = " RUN " ORDER BY seq"},
    {"task",
     "SELECT step.seq AS step, task.seq AS seq, host.text AS host, play.text AS play, role.text AS role,"
     " title.text AS task, path.text AS path, action.text AS action,"
     " CASE task.status WHEN 0 THEN 'ok' WHEN 1 THEN 'changed' WHEN 2 THEN 'skipped' WHEN 3 THEN 'failed'"
     " ELSE 'unreachable' END AS status, task.flags AS flags, task.items AS items, task.started_ns AS "
     "started_ns,"
     " task.duration_ns AS duration_ns, task.message AS message"
     " FROM step CROSS JOIN task ON task.step = step.number"
     " LEFT JOIN name AS host ON host.number = task.host LEFT JOIN name AS play ON play.number = task.play"
     " LEFT JOIN name AS role ON role.number = task.role LEFT JOIN name AS title ON title.number = task.task"
     " LEFT JOIN name AS path ON path.number = task.path LEFT JOIN name AS action ON action.number = "
     "task.action"
     " WHERE step.run = " RUN " ORDER BY step.seq, task.seq"},
    {"event", "SELECT * FROM event WHERE run = " RUN " ORDER BY number"},
    {"sample", "SELECT * FROM sample WHERE run = " RUN " ORDER BY at_ns"},
};

static int add_row(const char *table, struct sql_statement *row, store_dump_function *function, void *context,
                   struct error *err)
{
    AUTO_JSON *object = json_new_object();
    json_set_string(object, "table", table);
    for (int i = 0; i < sql_columns(row); i++) {
        const char *name = sql_column_name(row, i);
        if (sql_is_integer(row, i))
            json_set_integer(object, name, sql_integer(row, i));
        else if (sql_is_real(row, i))
            json_set(object, name, json_new_real(sql_real(row, i)));
        else
            json_set_string(object, name, sql_text(row, i));
    }
    AUTO_FREE char *text = json_compact(object);
    AUTO_TEXT line = TEXT_INIT;
    text_add(&line, text);
    text_add_char(&line, '\n');
    return function(context, line.bytes, line.length, err);
}

int store_dump(struct sql *db, const char *run, store_dump_function *function, void *context,
               struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        AUTO_STATEMENT *rows = NULL;
        int row;
        if (sql_prepare(db, tables[i].query, &rows, err) < 0)
            return -1;
        sql_bind_text(rows, 1, run);
        while ((row = sql_step(rows, err)) > 0)
            if (add_row(tables[i].table, rows, function, context, err) < 0)
                return -1;
        if (row < 0)
            return -1;
    }
    return 0;
}
