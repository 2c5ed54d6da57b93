/* The one place the runner tells what happened; store and journal subscribe here and the runner knows neither. For the begin and end of runs and steps it
 * waits for the store's answer through the loop, as long as that gets on or is only busy with another process, while timers run on. */
#pragma once
#include "base/error.h"
#include "event/event.h"
#include "format/json.h"
#include "process/loop.h"

struct sink;
/* `committed`: on disk; else `failure` says why not (the store failed, or did not answer within the bound). */
typedef void sink_answer(void *context, bool committed, const char *failure);

/* Starts the store's writer thread and opens the journal. The loop outlives the sink. */
int sink_open(struct loop *loop, const char *store, const char *run_folder, struct sink **out,
              struct error *err);
/* Tells it; no answer is wanted. */
void sink_put(struct sink *sink, const struct event *event);
/* Tells a note of that kind, now, of a step or (0) of the whole run. */
void sink_note(struct sink *sink, const char *run, int step, const char *kind, const struct json *detail);
/* Tells it and calls `answer` from the loop (never before this returns). One wait at a time. */
void sink_commit(struct sink *sink, const struct event *event, sink_answer *answer, void *context);
/* The run is to end: another process that holds the store is waited for 10 s at most. */
void sink_hurry(struct sink *sink);
/* Writes what is queued within 10 s and closes. -1 when the store could not take it. */
int sink_close(struct sink *sink, struct error *err);
