/* The look at a step before it is ended: what was known of it in the worker (task, host, ages, connection)
 * and what its processes and files show (step/forensics.h), told together as one note "forensics" of the
 * run. */
#pragma once
#include "event/sink.h"
#include "event/task_now.h"
#include "step/forensics.h"
#include "step/watchdog.h"
#include "transport/watch.h"
#include "verdict/verdict.h"

/* What only the worker knows, at the moment at which the step is to be ended. */
struct last_look_known {
    enum ended_by by;
    const struct task_now *now;
    const char *host;                  /* where the task waits for no other; may be NULL */
    const struct watchdogs *watchdogs; /* may be NULL */
    const struct transport_watch *transport_watch;
    int64_t started_monotonic_ns; /* of the step */
};

struct last_look;
/* The note was told. The look may be stopped in it. */
typedef void last_look_function(void *context);

/* The same as JSON, to be begun with: ages in milliseconds, null where there is none. The caller frees. */
struct json *last_look_facts(const struct last_look_known *known);
/* Takes over `facts`, also when it fails. The note is of the plan's run and of `step`; what the plan points
 * to is borrowed. -1: no look can be taken (the plan may want none), `function` will not be called. */
int last_look_start(struct loop *loop, struct sink *sink, const struct forensics_plan *plan, int step,
                    struct json *facts, last_look_function *function, void *context, struct last_look **out);
/* Ends it without a note, where it goes on. NULL in it is fine. */
void last_look_stop(struct last_look **look);
