/* What an event line becomes in the store: a task row, and for an UNREACHABLE its ledger entry too. One
 * place, for the worker that follows the file and for the command that reads the rest of it after a crash. */
#pragma once
#include "event/event.h"
#include "event/line.h"

/* What the line is in this phase, before anything counts or stores it. `reboots`: the phase reboots its host,
 * so that a host which does not come back is an UNREACHABLE one. */
void line_of_phase(struct line *line, bool reboots);
/* Fills up to two events (borrowing from `line`), in the order they must be stored; `end` is the offset
 * behind the line, carried by the last one. Returns how many; 0 for lines that leave no row. */
int line_events(const struct line *line, const char *run, int step, const char *transport, int64_t end,
                struct event out[2]);
/* Whether an UNREACHABLE's own message names no reason. */
bool line_event_is_vague(const struct event *event);
/* Takes cause and message from what the connection's ssh master wrote last (LogLevel VERBOSE), where that
 * says more: an end in order, too, which is the host's. `log` is borrowed and cut up. */
void line_event_explain(struct event *event, char *log);
