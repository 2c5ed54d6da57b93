/* The events of a run (what happened besides tasks) as lines: for people, or as JSON. */
#pragma once
#include "store/history.h"
#include "store/history_tasks.h"
#include "view/table.h"

void events_add_line(const struct history_event *event, const struct table_look *look, struct text *out);
/* When a run or step ended (wall clock), its begin where that is not known. */
int64_t events_ended_ns(int64_t started_ns, int64_t duration_ns);
/* That a step, or (`step` NULL) the run ended, and which row of the table of verdicts fitted; nothing
 * where that was not recorded. */
void events_add_verdict(const struct history_run *run, const struct history_step *step,
                        const struct table_look *look, struct text *out);
/* {"number","at","step","name","kind","detail"} on one line. */
void events_add_json(const struct history_event *event, const char *run, struct text *out);
