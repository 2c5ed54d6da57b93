/* The stages of cloud-init that a run waited for (`sample` of kind cloud-init). Read-only; the caller frees.
 * What somebody else wrote there reads as absent. */
#pragma once
#include "base/error.h"
#include "format/sql.h"
#include <stddef.h>
#include <stdint.h>

struct history_boot {
    int step; /* seq of the one that waited */
    char *stage;
    int64_t started_ns, finished_ns;
    int errors;
};
/* Of a run, in the order they began. */
int history_boot(struct sql *db, const char *run, struct history_boot **out, size_t *count,
                 struct error *err);
void history_boot_free(struct history_boot *stages, size_t count);
