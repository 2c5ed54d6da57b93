#include "store/history_health.h"

#include "base/memory.h"
#include "format/json.h"

#include <string.h>

static struct history_health read_sample(struct sql_statement *query)
{
    const char *detail = sql_text(query, 2);
    AUTO_JSON *object = detail ? json_parse(detail, strlen(detail), NULL) : NULL;
    return (struct history_health){
        .at_ns = sql_integer(query, 0),
        .healthy = sql_integer(query, 1) != 0,
        .cause = xstrdup_or_null(json_get_string(object, "cause", NULL)),
        .message = xstrdup_or_null(json_get_string(object, "error", NULL)),
        .via = xstrdup_or_null(json_get_string(object, "via", NULL)),
    };
}

int history_health(struct sql *db, const char *run, struct history_health **out, size_t *count,
                   struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    struct history_health *samples = NULL;
    size_t length = 0;
    int row;
    if (sql_prepare(
            db,
            "SELECT at_ns, healthy, detail FROM sample WHERE run = (SELECT number FROM run WHERE id = ?1)"
            " AND kind = 'health' AND healthy IS NOT NULL ORDER BY at_ns",
            &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, run);
    while ((row = sql_step(query, err)) > 0) {
        samples = xreallocarray(samples, length + 1, sizeof *samples);
        samples[length++] = read_sample(query);
    }
    if (row < 0) {
        history_health_free(samples, length);
        return -1;
    }
    *out = samples;
    *count = length;
    return 0;
}

void history_health_free(struct history_health *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(samples[i].cause);
        free(samples[i].message);
        free(samples[i].via);
    }
    free(samples);
}
