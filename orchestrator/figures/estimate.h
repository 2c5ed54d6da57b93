/* How far a step is and how long it may still take, told from earlier ones of its kind. Arithmetic alone: who
 * reads them is figures/earlier.h.
 *
 * In each earlier one it stands where it has come to by the tasks that have ended in it, host by host; from
 * there the clock goes on, but not beyond the end of the task that comes next there. So what is left is what
 * came behind that, and a task that takes its time, or that no earlier one had, takes away nothing of it.
 * Earlier ones whose tasks came out otherwise than in this one so far (a first run beside a second one, which
 * has nothing to change) do not count where others are nearer to it, nor where most of them did (the playbook
 * is another one by now). */
#pragma once
#include "event/line.h"
#include <stddef.h>
#include <stdint.h>

enum estimate_slower {
    ESTIMATE_NOT_SLOWER,
    ESTIMATE_SLOWER_TASK, /* what it is at takes longer than that ever did */
    ESTIMATE_SLOWER_STEP, /* it takes longer than ever one as a whole */
};

struct estimate_figures {
    size_t n;    /* earlier ones that it looks like. 0: none is known, and nothing is told */
    int percent; /* 0 to 99 */
    /* Still: the median; of ten or more without the longest and the shortest tenth, else from the shortest to
     * the longest. What no earlier one had widens it upwards: as much of that may come again. */
    int64_t remaining_ns, low_ns, high_ns;
    int64_t usual_ns;            /* how long they took as a whole, the median */
    int64_t behind_ns;           /* how long their runs went on behind them, the median; -1: not known */
    enum estimate_slower slower; /* beyond all that are known by a quarter and 2 s, also those it is unlike */
};

struct estimate_task {
    const char *host, *role, *task; /* role NULL: in none. It is found again by them, and how often it came */
    enum line_status status;
    bool unreachable;
    int64_t ended_ns; /* from the begin of the step */
};

struct estimate;
struct estimate *estimate_new(void);
void estimate_free(struct estimate *estimate);
/* An earlier one that ended well, and how long its run went on behind it (-1: that is not known, or of no
 * use). All of them come before the first task of this one. */
void estimate_add(struct estimate *estimate, int64_t duration_ns, int64_t behind_ns);
/* A task of the earlier one that was added last, in the order in which they ended. */
void estimate_add_task(struct estimate *estimate, const struct estimate_task *task);
/* Whether there is anything to find again. NULL: no earlier one is known. */
bool estimate_has_tasks(const struct estimate *estimate);
/* In this step a play was begun, on these hosts (a JSON list of names); one of its hosts was given a task;
 * one ended on one of them, likewise in order. */
void estimate_play(struct estimate *estimate, const struct json *hosts);
void estimate_began(struct estimate *estimate, const char *host, const char *role, const char *task);
void estimate_ended(struct estimate *estimate, const struct estimate_task *task);
/* What a line of its event file tells of that. The begin of the step and the present by the monotonic clock;
 * what a line says to be later is now. */
void estimate_line(struct estimate *estimate, const struct line *line, int64_t started_ns, int64_t now_ns);
/* As it is `now_ns` after its begin. NULL as above. */
void estimate_look(const struct estimate *estimate, int64_t now_ns, struct estimate_figures *out);
