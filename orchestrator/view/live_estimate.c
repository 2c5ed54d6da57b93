#include "view/live_estimate.h"

#include "base/memory.h"
#include "config/layout.h"
#include "figures/earlier.h"

struct estimate *live_estimate(const char *state, const char *run, const struct json *step_begin)
{
    AUTO_SQL *db = NULL;
    AUTO_FREE char *store = layout_store(state);
    AUTO_FREE char *kind = xstrdup(json_get_string(step_begin, "step_kind", "")),
                   *name = xstrdup(json_get_string(step_begin, "name", "")),
                   *transport = xstrdup_or_null(json_get_string(step_begin, "transport", NULL)),
                   *accelerated = xstrdup_or_null(json_get_string(step_begin, "accelerated", NULL));
    const struct history_step step = {.kind = kind,
                                      .name = name,
                                      .transport = transport,
                                      .accelerated = accelerated,
                                      .attempt = (int)json_get_integer(step_begin, "attempt", 1)};
    struct estimate *estimate = NULL;
    return history_find(store, &db, NULL) == 0 && db && earlier_estimate(db, run, &step, &estimate, NULL) == 0
               ? estimate
               : NULL;
}
