/* All that the store holds of one run, as lines of JSON: {"table":…} and the columns of the row, names of
 * tasks and hosts as text. */
#pragma once
#include "base/error.h"
#include "format/sql.h"
#include <stddef.h>

/* One line with its newline; negative ends it. */
typedef int store_dump_function(void *context, const char *line, size_t length, struct error *err);
/* In the order machine, run, step, task, event, sample; within a table as written. */
int store_dump(struct sql *db, const char *run, store_dump_function *function, void *context,
               struct error *err);
