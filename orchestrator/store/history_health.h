/* The samples of health that a run kept (`sample` of kind health). Read-only; the caller frees. What somebody
 * else wrote there reads as absent. */
#pragma once
#include "base/error.h"
#include "format/sql.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct history_health {
    int64_t at_ns;
    bool healthy;
    char *cause, *message, *via; /* may be NULL */
};
/* Of a run, in order. */
int history_health(struct sql *db, const char *run, struct history_health **out, size_t *count,
                   struct error *err);
void history_health_free(struct history_health *samples, size_t count);
