#include "store/history_paths.h"

#include "base/memory.h"
#include "format/json_words.h"

#include <string.h>

enum { STEP_MOST = 1 << 20 };

/* False where the detail is none of ours. */
static bool read_path(int64_t at_ns, const char *detail, struct history_path *out)
{
    AUTO_JSON *object = detail ? json_parse(detail, strlen(detail), NULL) : NULL;
    int64_t step = json_get_integer(object, "step", 0);
    if (!json_is_object(object) || step < 1 || step > STEP_MOST)
        return false;
    *out = (struct history_path){
        .step = (int)step,
        .at_ns = at_ns,
        .path = xstrdup_or_null(json_get_string(object, "path", NULL)),
        .via = xstrdup_or_null(json_get_string(object, "via", NULL)),
        .daemon = xstrdup_or_null(json_get_string(object, "daemon", NULL)),
        .error = xstrdup_or_null(json_get_string(object, "error", NULL)),
        .received = json_get_integer(object, "received", -1),
        .sent = json_get_integer(object, "sent", -1),
    };
    json_words_add(json_get(object, "health"), &out->health);
    return true;
}

int history_paths(struct sql *db, const char *run, struct history_path **out, size_t *count,
                  struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    struct history_path *paths = NULL, one;
    size_t length = 0;
    int row;
    if (sql_prepare(db,
                    "SELECT at_ns, detail FROM sample WHERE run = (SELECT number FROM run WHERE id = ?1)"
                    " AND kind = 'path' ORDER BY at_ns",
                    &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, run);
    while ((row = sql_step(query, err)) > 0)
        if (read_path(sql_integer(query, 0), sql_text(query, 1), &one)) {
            paths = xreallocarray(paths, length + 1, sizeof *paths);
            paths[length++] = one;
        }
    if (row < 0) {
        history_paths_free(paths, length);
        return -1;
    }
    *out = paths;
    *count = length;
    return 0;
}

void history_paths_free(struct history_path *paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(paths[i].path);
        free(paths[i].via);
        free(paths[i].daemon);
        free(paths[i].error);
        words_clear(&paths[i].health);
    }
    free(paths);
}
