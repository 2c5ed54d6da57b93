/* Rows as a worker leaves them of a run "create" of the target vault, for the tests and the measurements of
 * the store: change what yours is about. */
#pragma once
#include "event/event.h"

struct event rows_run(enum event_kind kind, const char *id, int64_t started_ns);
/* A phase called install over "direct" that took 1.5 s and ended ok. */
struct event rows_step(enum event_kind kind, const char *id, int seq);
struct event rows_task(const char *id, int step, const char *role, const char *task, const char *status);
