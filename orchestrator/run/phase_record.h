/* The record of phases that ran whole, in the run's plan: each with the files it was made from, so that a
 * resume need not do it again as long as these stay as they are. A run that no resume can go on with (no
 * plan, no project, only a part of the items) keeps none. The files are looked at in a child: roles may be
 * large, and deadline and cancel hold meanwhile. */
#pragma once
#include "event/sink.h"
#include "process/aside.h"
#include "run/context.h"

/* What there is to record of the phase that ended was told to the sink; `failure`:
 * it could not be, and why. */
typedef void phase_record_done(void *context, const char *failure);

struct phase_record {
    const struct run_context *context;
    struct loop *loop;
    struct sink *sink;
    phase_record_done *done;
    void *whom;
    struct json *plan;   /* of the run's row; NULL: no resume can go by it */
    struct aside *aside; /* looks at the files */
    struct timer *hurry;
    bool hurried; /* it is armed */
    /* Of the phase that runs: */
    const struct phase *phase;
    int64_t started_ns;
    struct json *used;  /* its files as they were at its begin; NULL: not looked at */
    struct words ran;   /* files of its tasks */
    bool ended, at_end; /* somebody waits for `done`; the files are looked at as they are at its end */
};

/* All are borrowed. */
void phase_record_begin(struct phase_record *record, struct loop *loop, const struct run_context *context,
                        struct sink *sink, phase_record_done *done, void *whom);
/* The phase's process was just started, at that time of the wall clock. Nobody waits for the look. */
void phase_record_begins(struct phase_record *record, const struct phase *phase, int64_t started_ns);
/* It ended well; `ran`: files of its tasks. 1: `done` is called once it is recorded; 0: nothing is to be
 * recorded; -1: it cannot be. */
int phase_record_ends(struct phase_record *record, const struct words *ran, struct error *err);
/* Gives what is being recorded a second more, counted from the first time. */
void phase_record_hurry(struct phase_record *record);
/* Nobody waits any more. */
void phase_record_stop(struct phase_record *record);
void phase_record_clear(struct phase_record *record);
