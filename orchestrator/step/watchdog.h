/* The timers that end a step: deadline (the whole attempt), silence (no event line, no output byte, no async poll), task (one task too long), and
 * staying (all tasks have ended, the process is still there).
 * Asynchronous: they fire from the loop whatever the watched process does. Each fires at most once, and none after another has. */
#pragma once
#include "base/error.h"
#include "process/loop.h"
#include "verdict/verdict.h"
#include <stdbool.h>
#include <stdint.h>

struct watchdog_limits {
    int64_t deadline_ns, silence_ns, task_ns, /* 0: none */
        leave_ns;    /* what a process has to leave in, once all its tasks have ended */
    const char *log; /* its growth counts as output; NULL: none */
};

struct watchdogs;
typedef void watchdog_function(void *context, enum ended_by which);

int watchdogs_start(struct loop *loop, const struct watchdog_limits *limits, watchdog_function *function,
                    void *context, struct watchdogs **out, struct error *err);
/* An event line came. */
void watchdogs_activity(struct watchdogs *watchdogs);
/* Since when (monotonic) the task runs that has run for the longest on its host; 0: none runs. */
void watchdogs_task(struct watchdogs *watchdogs, int64_t since_ns);
/* All tasks have ended: from now on the deadline counts, and the time to leave in. */
void watchdogs_leave(struct watchdogs *watchdogs);
/* Since the last event line, and since the last byte of output (-1: none came). */
void watchdogs_ages(const struct watchdogs *watchdogs, int64_t *event_ns, int64_t *output_ns);
void watchdogs_stop(struct watchdogs **watchdogs);
