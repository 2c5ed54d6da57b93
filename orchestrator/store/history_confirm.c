#include "store/history_confirm.h"

#include <string.h>

static const char open_notes[] =
    "SELECT run.id, event.step, event.detail ->> '$.id' FROM event JOIN run ON run.number = event.run"
    " WHERE event.kind = 'confirm' AND run.target = ?1 AND run.machine_id = ?2 AND run.merged = 0"
    " AND event.number = (SELECT max(other.number) FROM event AS other WHERE other.run = event.run"
    " AND other.kind = 'confirm' AND other.step = event.step)"
    " AND event.detail ->> '$.state' IN ('armed', 'unproven', 'proven', 'open')"
    " ORDER BY event.number DESC LIMIT 4";

int history_confirm_open(struct sql *db, const struct machine *machine, struct json **out, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    AUTO_JSON *list = NULL;
    int row;
    if (sql_prepare(db, open_notes, &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, machine->target);
    sql_bind_text(query, 2, machine->id);
    while ((row = sql_step(query, err)) > 0) {
        struct json *entry = json_new_object();
        json_set_string(entry, "run", sql_text(query, 0));
        json_set_integer(entry, "step", sql_integer(query, 1));
        json_set_string(entry, "id", sql_text(query, 2));
        if (!list)
            list = json_new_array();
        json_append(list, entry);
    }
    if (row < 0)
        return -1;
    *out = list ? json_keep(list) : NULL;
    return 0;
}

int history_confirm(struct sql *db, const char *run, struct json **out, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    AUTO_JSON *list = NULL;
    int row;
    if (sql_prepare(
            db,
            "SELECT step, detail FROM event WHERE number IN (SELECT max(number) FROM event WHERE run = "
            "(SELECT number FROM run WHERE id = ?1) AND kind = 'confirm' GROUP BY step) ORDER BY step",
            &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, run);
    while ((row = sql_step(query, err)) > 0) {
        const char *text = sql_text(query, 1);
        struct json *detail = text ? json_parse(text, strlen(text), NULL) : NULL;
        if (!json_is_object(detail)) {
            json_free(detail);
            continue;
        }
        json_set_integer(detail, "step", sql_integer(query, 0));
        if (!list)
            list = json_new_array();
        json_append(list, detail);
    }
    if (row < 0)
        return -1;
    *out = list ? json_keep(list) : NULL;
    return 0;
}
