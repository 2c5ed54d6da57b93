/* The watchdogs of a step that go by what it shows (config/watchdog_facts.h): one timer for all of them,
 * armed for the one that strikes first. Asynchronous: they strike from the loop whatever the watched process
 * does, once, the one whose moment came first. */
#pragma once
#include "base/error.h"
#include "config/watchdog_facts.h"
#include "process/loop.h"
#include "verdict/verdict.h"
#include <stdint.h>

#define WATCHDOG_NEVER INT64_MAX

/* What a step has shown so far. Points in time are monotonic; 0: none. */
struct watchdog_signs {
    int64_t started_ns, line_ns, output_ns; /* its process, its last event line, its last output */
    int64_t task_ns; /* since when the task runs that has run for the longest on its host */
    int64_t left_ns; /* when all its tasks had ended */
    int64_t output_bytes;
};

struct watchdogs;
typedef void watchdog_function(void *context, enum ended_by which);

/* `limits` is copied. `log`: its growth is the output; NULL: there is none. */
int watchdogs_start(struct loop *loop, const struct phase_limits *limits, const char *log,
                    watchdog_function *function, void *context, struct watchdogs **out, struct error *err);
/* An event line came. */
void watchdogs_activity(struct watchdogs *watchdogs);
/* Since when (monotonic) the task runs that has run for the longest on its host; 0: none runs. */
void watchdogs_task(struct watchdogs *watchdogs, int64_t since_ns);
/* All tasks have ended: from now on the deadline counts, and the time to leave in. */
void watchdogs_leave(struct watchdogs *watchdogs);
/* Since the last event line, and since the last byte of output (-1: none came). */
void watchdogs_ages(const struct watchdogs *watchdogs, int64_t *event_ns, int64_t *output_ns);
void watchdogs_stop(struct watchdogs **watchdogs);
