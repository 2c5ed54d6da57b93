/* Work on the store that may take long is done piece by piece, so that a run which writes its rows meanwhile
 * is held up for a moment only. */
#pragma once
#include "format/sql.h"
#include <stdbool.h>
#include <stdint.h>

/* Rows that one piece may touch, also as text for statements. What goes by the clock takes them in bites, and
 * looks at it after each. */
enum { STORE_BATCH_ROWS = 5000, STORE_BATCH_BITE = 250 };
#define STORE_BATCH_TEXT "5000"
/* Tasks of a run that a merge brings in several pieces stand under numbers of steps this far ahead of all
 * that are there, its events and samples under such a number of a run, until the last piece brings the run:
 * no run that goes on meanwhile makes so many. Tasks without a step, and events and samples without a run,
 * further ahead than the second number, are those of a merge that broke off. */
#define STORE_AHEAD_TEXT  "16777216"
#define STORE_HALF        "step > (SELECT coalesce(max(number), 0) + 1048576 FROM step)"
#define STORE_HALF_OF_RUN "run > (SELECT coalesce(max(number), 0) + 1048576 FROM run)"

/* SQL for the numbers of all words in a table's rows of tasks. */
#define STORE_EACH_WORD(table)                                                        \
    "SELECT host FROM " table " WHERE host IS NOT NULL UNION SELECT play FROM " table \
    " WHERE play IS NOT NULL UNION SELECT role FROM " table                           \
    " WHERE role IS NOT NULL UNION SELECT task FROM " table                           \
    " WHERE task IS NOT NULL UNION SELECT path FROM " table                           \
    " WHERE path IS NOT NULL UNION SELECT action FROM " table " WHERE action IS NOT NULL"

/* One piece: does `work` in a transaction of its own, and then leaves the lock alone for as long
 * as that took, so that whoever waits for it gets it. What `work` gives back, or -1: then
 * nothing of the piece was done. */
int store_batch(struct sql *db, int (*work)(struct sql *db, void *context, struct error *err), void *context,
                struct error *err);
/* Whether work that began then (monotonic) and goes by the clock is to end its piece here: whoever waits for
 * the lock waits for no more than 200 ms, the disk's own time for the commit included. */
bool store_batch_is_long(int64_t began_ns);
/* That rest alone, for work that began then (monotonic) and is committed. */
void store_batch_pause(int64_t began_ns);
/* Numbers of rows that went are given anew, so only one process at a time removes any: *out is to be closed
 * when that is done. ERROR_BUSY while another does. */
int store_batch_alone(const char *store, int *out, struct error *err);
