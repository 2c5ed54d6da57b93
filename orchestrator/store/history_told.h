/* What modules had to say in a run (docs/contract.md, "Event lines": told), in order. Read-only. */
#pragma once
#include "base/error.h"
#include "format/json.h"
#include "format/sql.h"
#include <stddef.h>

struct history_told {
    int step; /* seq */
    char *host, *role /* NULL: in none */, *task, *subject, *text;
    struct json *detail; /* an object */
};

/* The caller frees. */
int history_told(struct sql *db, const char *run, struct history_told **out, size_t *count,
                 struct error *err);
void history_told_free(struct history_told *told, size_t count);
