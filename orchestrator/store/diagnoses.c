#include "store/diagnoses.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

/* clang-format off */
#define CELL_COLUMNS "transport, client, work, parameters, ok, ended, message, duration_ns, last_good_ns, bytes, stalls, tcp_state, path"
/* clang-format on */

static int64_t number(const struct json *object, const char *key)
{
    return json_get_integer(object, key, 0);
}

int diagnoses_begin(struct sql *db, const char *id, const char *target, const char *size, const char *node,
                    struct error *err)
{
    AUTO_STATEMENT *insert = NULL;
    if (sql_prepare(db,
                    "INSERT INTO diagnosis (id, target, size, node, started_ns) VALUES (?1, ?2, ?3, ?4, ?5)",
                    &insert, err) < 0)
        return -1;
    sql_bind_text(insert, 1, id);
    sql_bind_text(insert, 2, target);
    sql_bind_text(insert, 3, size);
    sql_bind_text(insert, 4, node);
    sql_bind_integer(insert, 5, moment_wall());
    return sql_do(insert, err);
}

int diagnoses_put_cell(struct sql *db, const char *id, int64_t seq, const struct json *cell,
                       struct error *err)
{
    static const char *const texts[] = {"transport", "client", "work"};
    AUTO_STATEMENT *insert = NULL;
    AUTO_FREE char *parameters = json_compact(json_get(cell, "parameters"));
    if (sql_prepare(db,
                    "INSERT OR REPLACE INTO diagnosis_cell (diagnosis, seq, at_ns, " CELL_COLUMNS
                    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
                    &insert, err) < 0)
        return -1;
    sql_bind_text(insert, 1, id);
    sql_bind_integer(insert, 2, seq);
    sql_bind_integer(insert, 3, moment_wall());
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        sql_bind_text(insert, 4 + (int)i, json_get_string(cell, texts[i], "?"));
    sql_bind_text(insert, 7, parameters);
    sql_bind_integer(insert, 8, json_get_bool(cell, "ok"));
    sql_bind_text(insert, 9, json_get_string(cell, "ended", "?"));
    sql_bind_text(insert, 10, json_get_string(cell, "message", NULL));
    sql_bind_integer(insert, 11, number(cell, "duration_ns"));
    sql_bind_integer(insert, 12, number(cell, "last_good_ns"));
    sql_bind_integer(insert, 13, number(cell, "bytes"));
    sql_bind_integer(insert, 14, number(cell, "stalls"));
    sql_bind_text(insert, 15, json_get_string(cell, "tcp_state", NULL));
    sql_bind_text(insert, 16, json_get_string(cell, "path", NULL));
    return sql_do(insert, err);
}

int diagnoses_end(struct sql *db, const char *id, const struct json *conclusion,
                  const struct json *surroundings, struct error *err)
{
    AUTO_STATEMENT *update = NULL;
    const struct json *first = json_at(json_get(conclusion, "findings"), 0);
    AUTO_FREE char *concluded = json_compact(conclusion), *seen = json_compact(surroundings);
    if (sql_prepare(
            db,
            "UPDATE diagnosis SET duration_ns = max(0, ?2 - started_ns), variable = ?3, transport = ?4,"
            " sure = ?5, conclusion = ?6, surroundings = ?7 WHERE id = ?1",
            &update, err) < 0)
        return -1;
    sql_bind_text(update, 1, id);
    sql_bind_integer(update, 2, moment_wall());
    sql_bind_text(update, 3, json_get_string(conclusion, "variable", "unknown"));
    sql_bind_text(update, 4, json_get_string(first, "transport", NULL));
    sql_bind_text(update, 5, json_get_string(first, "sure", NULL));
    sql_bind_text(update, 6, concluded);
    sql_bind_text(update, 7, seen);
    return sql_do(update, err);
}

static struct json *parsed(const char *text)
{
    struct json *value = text ? json_parse(text, strlen(text), NULL) : NULL;
    return value ? value : json_new_null();
}

static struct json *cell_row(struct sql_statement *row)
{
    struct json *cell = json_new_object();
    json_set_string(cell, "transport", sql_text(row, 0));
    json_set_string(cell, "client", sql_text(row, 1));
    json_set_string(cell, "work", sql_text(row, 2));
    json_set(cell, "parameters", parsed(sql_text(row, 3)));
    json_set_bool(cell, "ok", sql_integer(row, 4) != 0);
    json_set_string(cell, "ended", sql_text(row, 5));
    json_set_string(cell, "message", sql_text(row, 6));
    json_set_integer(cell, "duration_ns", sql_integer(row, 7));
    json_set_integer(cell, "last_good_ns", sql_integer(row, 8));
    json_set_integer(cell, "bytes", sql_integer(row, 9));
    json_set_integer(cell, "stalls", sql_integer(row, 10));
    json_set_string(cell, "tcp_state", sql_text(row, 11));
    json_set_string(cell, "path", sql_text(row, 12));
    return cell;
}

static int add_cells(struct sql *db, struct json *diagnosis, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    AUTO_JSON *cells = json_new_array();
    int row;
    if (sql_prepare(db, "SELECT " CELL_COLUMNS " FROM diagnosis_cell WHERE diagnosis = ?1 ORDER BY seq",
                    &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, json_get_string(diagnosis, "id", ""));
    while ((row = sql_step(query, err)) > 0)
        json_append(cells, cell_row(query));
    if (row == 0)
        json_set(diagnosis, "cells", TAKE(cells));
    return row;
}

/* The first row that the statement's WHERE and ORDER leave. */
static int load(struct sql *db, const char *where, const char *text, const char *target, int64_t number,
                struct json **out, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    AUTO_FREE char *statement = xasprintf("SELECT id, target, size, node, started_ns, duration_ns, "
                                          "conclusion, surroundings FROM diagnosis WHERE %s",
                                          where);
    if (sql_prepare(db, statement, &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, text);
    sql_bind_text(query, 2, target);
    sql_bind_integer(query, 3, number);
    int row = sql_step(query, err);
    *out = NULL;
    if (row <= 0)
        return row;
    AUTO_JSON *object = json_new_object();
    json_set_string(object, "id", sql_text(query, 0));
    json_set_string(object, "target", sql_text(query, 1));
    json_set_string(object, "size", sql_text(query, 2));
    json_set_string(object, "node", sql_text(query, 3));
    json_set_integer(object, "started_ns", sql_integer(query, 4));
    json_set(object, "duration_ns",
             sql_is_null(query, 5) ? json_new_null() : json_new_integer(sql_integer(query, 5)));
    json_set(object, "conclusion", parsed(sql_text(query, 6)));
    json_set(object, "surroundings", parsed(sql_text(query, 7)));
    if (add_cells(db, object, err) < 0)
        return -1;
    *out = TAKE(object);
    return 0;
}

#define OF_TARGET    "(?2 IS NULL OR target = ?2)"
#define NEWEST_FIRST " ORDER BY started_ns DESC, id DESC LIMIT 1"

int diagnoses_load(struct sql *db, const char *name, const char *target, struct json **out, struct error *err)
{
    if (text_is(name, "last"))
        return load(db, OF_TARGET " AND duration_ns IS NOT NULL AND ?1 = ?1 AND ?3 = ?3" NEWEST_FIRST, name,
                    target, 0, out, err);
    if (text_is(name, "previous"))
        return load(db,
                    OF_TARGET " AND duration_ns IS NOT NULL AND ?1 = ?1 AND ?3 = ?3" NEWEST_FIRST " OFFSET 1",
                    name, target, 0, out, err);
    return load(db, "(id = ?1 OR substr(id, -8) = ?1) AND " OF_TARGET " AND ?3 = ?3" NEWEST_FIRST, name,
                target, 0, out, err);
}

int diagnoses_unfinished(struct sql *db, const char *target, const char *but_for, int64_t since_ns,
                         struct json **out, struct error *err)
{
    return load(db, "duration_ns IS NULL AND id <> ?1 AND target = ?2 AND started_ns >= ?3" NEWEST_FIRST,
                but_for, target, since_ns, out, err);
}

int diagnoses_earlier(struct sql *db, const char *target, int64_t before_ns, struct json **out,
                      struct error *err)
{
    return load(
        db,
        "duration_ns IS NOT NULL AND ?1 = ?1 AND target = ?2 AND id <> (SELECT id FROM diagnosis AS newest"
        " WHERE newest.target = ?2 AND newest.duration_ns IS NOT NULL"
        " ORDER BY newest.started_ns DESC, newest.id DESC LIMIT 1)"
        " ORDER BY started_ns > ?3, CASE WHEN started_ns <= ?3 THEN -started_ns ELSE started_ns END LIMIT 1",
        "", target, before_ns, out, err);
}
