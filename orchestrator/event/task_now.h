/* What a phase is busy with at this moment, from its event lines: which task runs on which host,
 * and since when. Under `strategy: free` every host has a task of its own, so nothing is concluded
 * from one host about another. */
#pragma once
#include "event/line.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task_run {
    char *host, *task, *path, *uuid; /* host NULL: it was announced, no host has been given it yet */
    int64_t since_ns;                /* monotonic, by this process's clock */
    bool patient; /* async, reboot, wait_for_connection: it outlives a lost connection by itself */
};

struct task_now {
    struct task_run *runs; /* without a result yet, in the order in which they began */
    size_t count, room;
};

void task_now_line(struct task_now *now, const struct line *line);
/* What has run for the longest; NULL: nothing runs. */
const struct task_run *task_now_oldest(const struct task_now *now);
/* What runs on this host (which may be NULL), else what has run for the longest; NULL: nothing runs. */
const struct task_run *task_now_on(const struct task_now *now, const char *host);
/* One of them outlives a lost connection. */
bool task_now_is_patient(const struct task_now *now);
/* The hosts that are at this task, beginning with this one ("a and 2 more"), malloc'ed; NULL:
 * none (or `run` is NULL). */
char *task_now_hosts(const struct task_now *now, const struct task_run *run);
void task_now_clear(struct task_now *now);
