/* The event lines of one step, as they come: counted, stored, and told to what watches the step. Lines that
 * cannot be read are counted as bad. A step without an event file has a count of nothing. */
#pragma once
#include "event/sink.h"
#include "event/tally.h"
#include "event/task_now.h"
#include "step/order.h"
#include "step/watchdog.h"
#include "transport/watch.h"

struct step_lines;

/* What earlier attempts owe is counted in. `sink` and `plan` are borrowed until step_lines_free. */
struct step_lines *step_lines_new(struct sink *sink, const struct step_order *plan);
/* Follows the plan's event file, where there is one, before anything writes to it. */
int step_lines_follow(struct step_lines *lines, struct loop *loop, struct error *err);
/* The step's process was started: what the shared connection's master says from now on is of this step, and
 * every further line is told to these two (NULL: not there), borrowed. The latter also knows of a master that
 * was killed. */
void step_lines_watched(struct step_lines *lines, struct watchdogs *watchdogs,
                        struct transport_watch *transport_watch);
/* The timers are gone; the other is asked on. */
void step_lines_unwatched(struct step_lines *lines);
/* Reads what is still in the file. A file that cannot be read to its end (it was cut off, say) counts as a
 * bad line: it proves nothing. */
void step_lines_drain(struct step_lines *lines);

/* What they add up to, and what the step is busy with; both are the lines' and change with them. */
const struct tally *step_lines_tally(const struct step_lines *lines);
const struct task_now *step_lines_now(const struct step_lines *lines);
/* The tally's task, host and path are from now on what runs on this host, else (or NULL) what has run for the
 * longest. Nothing runs: they stay. */
void step_lines_stand(struct step_lines *lines, const char *host);
/* Handlers notified and not run, as JSON text, malloc'ed; NULL: none. */
char *step_lines_owed(const struct step_lines *lines);
/* Bytes of the file read so far. */
int64_t step_lines_bytes(const struct step_lines *lines);
void step_lines_free(struct step_lines *lines); /* NULL is fine */
