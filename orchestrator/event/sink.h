/* The one place the runner tells what happened. Receivers (event/subscriber.h) are given to it when it
 * opens, and neither it nor the runner knows which they are. For the begin and end of runs and steps it
 * waits for those that commit, through the loop, as long as each gets on or is only held up by another
 * process, while timers run on. */
#pragma once
#include "base/error.h"
#include "event/event.h"
#include "event/subscriber.h"
#include "format/json.h"
#include "process/loop.h"
#include <stddef.h>

struct sink;
/* `committed`: on disk with each that commits; else `failure` says why not (one failed, or wrote
 * nothing within the bound). */
typedef void sink_answer(void *context, bool committed, const char *failure);

/* Opens the receivers, in their order. The loop and the rows outlive the sink. */
int sink_open(struct loop *loop, const struct subscriber_place *place, const struct subscriber *const *rows,
              size_t count, struct sink **out, struct error *err);
/* Tells it; no answer is wanted. */
void sink_put(struct sink *sink, const struct event *event);
/* Tells a note of that kind, now, of a step or (0) of the whole run. */
void sink_note(struct sink *sink, const char *run, int step, const char *kind, const struct json *detail);
/* Tells it and calls `answer` from the loop (never before this returns). One wait at a time. */
void sink_commit(struct sink *sink, const struct event *event, sink_answer *answer, void *context);
/* The run is to end: what holds a receiver up is waited for 10 s at most. */
void sink_hurry(struct sink *sink);
/* Closes the receivers, the last one first, each within 10 s. -1 when one that
 * commits could not take all in. */
int sink_close(struct sink *sink, struct error *err);
