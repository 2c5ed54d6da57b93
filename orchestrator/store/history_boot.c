#include "store/history_boot.h"

#include "base/memory.h"
#include "format/json.h"

#include <string.h>

enum { STEP_MOST = 1 << 20 };

/* False where the detail is none of ours. */
static bool read_stage(int64_t at_ns, const char *detail, struct history_boot *out)
{
    AUTO_JSON *object = detail ? json_parse(detail, strlen(detail), NULL) : NULL;
    int64_t step = json_get_integer(object, "step", 0), finished = json_get_integer(object, "finished_ns", 0);
    const char *stage = json_get_string(object, "stage", NULL);
    if (!stage || step < 1 || step > STEP_MOST || finished < at_ns)
        return false;
    *out = (struct history_boot){(int)step, xstrdup(stage), at_ns, finished,
                                 (int)json_get_integer(object, "errors", 0)};
    return true;
}

int history_boot(struct sql *db, const char *run, struct history_boot **out, size_t *count, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    struct history_boot *stages = NULL, one;
    size_t length = 0;
    int row;
    if (sql_prepare(db,
                    "SELECT at_ns, detail FROM sample WHERE run = (SELECT number FROM run WHERE id = ?1)"
                    " AND kind = 'cloud-init' ORDER BY at_ns",
                    &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, run);
    while ((row = sql_step(query, err)) > 0)
        if (read_stage(sql_integer(query, 0), sql_text(query, 1), &one)) {
            stages = xreallocarray(stages, length + 1, sizeof *stages);
            stages[length++] = one;
        }
    if (row < 0) {
        history_boot_free(stages, length);
        return -1;
    }
    *out = stages;
    *count = length;
    return 0;
}

void history_boot_free(struct history_boot *stages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(stages[i].stage);
    free(stages);
}
