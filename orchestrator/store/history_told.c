#include "store/history_told.h"

#include "base/memory.h"

#include <string.h>

static char *member(const struct json *note, const char *key)
{
    return xstrdup_or_null(json_get_string(note, key, NULL));
}

/* False where the detail is none of ours. */
static bool read_told(int step, const char *detail, struct history_told *out)
{
    AUTO_JSON *note = detail ? json_parse(detail, strlen(detail), NULL) : NULL;
    struct json *inner = json_get(note, "detail");
    if (!json_get_string(note, "subject", NULL) || !json_get_string(note, "text", NULL))
        return false;
    *out = (struct history_told){.step = step,
                                 .host = member(note, "host"),
                                 .role = member(note, "role"),
                                 .task = member(note, "task"),
                                 .subject = member(note, "subject"),
                                 .text = member(note, "text"),
                                 .detail = json_is_object(inner) ? json_keep(inner) : json_new_object()};
    return true;
}

int history_told(struct sql *db, const char *run, struct history_told **out, size_t *count, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    struct history_told *told = NULL, one;
    size_t length = 0;
    int row;
    if (sql_prepare(db,
                    "SELECT coalesce(step, 0), detail FROM event WHERE run = (SELECT number FROM run WHERE id"
                    " = ?1) AND kind = 'told' ORDER BY number",
                    &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, run);
    while ((row = sql_step(query, err)) > 0)
        if (read_told((int)sql_integer(query, 0), sql_text(query, 1), &one)) {
            told = xreallocarray(told, length + 1, sizeof *told);
            told[length++] = one;
        }
    if (row < 0) {
        history_told_free(told, length);
        return -1;
    }
    *out = told;
    *count = length;
    return 0;
}

void history_told_free(struct history_told *told, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *const texts[] = {told[i].host, told[i].role, told[i].task, told[i].subject, told[i].text};
        for (size_t k = 0; k < COUNT_OF(texts); k++)
            free(texts[k]);
        json_free(told[i].detail);
    }
    free(told);
}
