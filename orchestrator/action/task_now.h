/* What a phase is busy with at this moment, from its event lines: the task that was started last, since when, and the hosts that have not reported it yet. */
#pragma once
#include "base/words.h"
#include "data/line.h"
#include <stdbool.h>
#include <stdint.h>

struct task_now {
    char *task, *path, *uuid; /* NULL: none runs */
    int64_t since_ns;         /* monotonic, by this process's clock */
    struct words hosts;       /* of the play, at most 64 */
    struct words waiting;     /* of these, without a result */
    bool patient; /* async, reboot, wait_for_connection: it outlives a lost connection by itself */
};

void task_now_line(struct task_now *now, const struct line *line);
/* The host it waits for ("a and 2 more"), malloc'ed; NULL when it waits for none. */
char *task_now_host(const struct task_now *now);
void task_now_free(struct task_now *now);
