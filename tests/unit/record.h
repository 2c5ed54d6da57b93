/* What the tests of store, history and reports share: a store in the test's own folder, and rows in it as
 * a worker would have written them. */
#pragma once
#include "base/id.h"
#include "format/sql.h"
#include "store/store.h"
#include "unit/rows.h"

#include <stdint.h>

struct record {
    char *state, *path; /* .triphase and its store.db */
    struct sql *db;
    struct store_appender *appender;
};

/* A fresh store below the test's folder (hostile_path); freed by record_end. */
struct record record_start(void);
void record_end(struct record *record);
void record_put(struct record *record,
                const struct event *event); /* each its own transaction; fails the test when it fails */

/* A whole run: begin, one phase of that many ns, end ok. */
void record_whole(struct record *record, const char *id, int64_t started_ns, int64_t phase_ns);
/* First column of the first row; fails the test when that fails. */
int64_t record_number(struct record *record, const char *query);
