/* A run's journal: runs/<run>/run.ndjson, one JSON object a line for every event but tasks. The live view follows it, and what could not be committed to
 * the store (its disk full, its lock held) can still be read there. Appended with one write a line; a failure to write is reported once and is no failure of the run. */
#pragma once
#include "base/error.h"
#include "event/event.h"

struct journal;
/* Opens (making it, 0600) the journal in the run's folder. */
int journal_open(const char *run_folder, struct journal **out, struct error *err);
/* `event` is "run_begin", "run_end", "step_begin", "step_end", "unreachable", "machine" or "note"; EVENT_TASK is left out. */
int journal_put(struct journal *journal, const struct event *event, struct error *err);
void journal_close(struct journal *journal);
