/* The events of a run (what happened besides tasks) as lines: for people, or as JSON. */
#pragma once
#include "store/history_tasks.h"
#include "view/table.h"

void events_add_line(const struct history_event *event, const struct table_look *look, struct text *out);
/* {"number","at","step","name","kind","detail"} on one line. */
void events_add_json(const struct history_event *event, const char *run, struct text *out);
