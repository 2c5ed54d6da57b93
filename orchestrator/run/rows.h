/* The rows that a run leaves beside those of its steps: its begin and end, its machine, and notes of what
 * happened between two steps. Rows are made here and borrow what they are made from; notes are told to the
 * sink at once. */
#pragma once
#include "event/sink.h"
#include "event/tally.h"
#include "run/context.h"
#include "step/step.h"

struct run_birth {
    bool fresh;         /* the machine was made in this run, or earlier in its chain of resumes */
    int64_t started_ns; /* wall clock */
};

struct event run_rows_begin(const struct run_context *context, const struct run_birth *birth);
struct event run_rows_end(const struct run_context *context, const struct run_birth *birth,
                          int64_t duration_ns, const struct verdict *verdict, int exit_code);
struct event run_rows_machine(const struct run_context *context);

/* Whose notes they are. */
struct run_notes {
    struct sink *sink;
    const char *run;
    int step; /* the last one; 0: none was yet */
};

/* The phase that begins is made faster by less than was asked for. */
void run_rows_note_accelerated(struct run_notes notes, const char *asked, const char *used, const char *why);
/* What belonged to the run and could not be ended. */
void run_rows_note_survivors(struct run_notes notes, const char *words);
/* The key that the host was to join with is at its API still. */
void run_rows_note_key_left(struct run_notes notes, const char *words);
/* The phase is tried again, since its attempt ended so. */
void run_rows_note_retry(struct run_notes notes, const struct phase *phase, int next_attempt,
                         enum outcome because);
/* A watchdog ended the step, and what it was busy with. */
/* The run goes over another transport than the one that failed twice. */
void run_rows_note_switched(struct run_notes notes, const char *from, const char *to);
void run_rows_note_watchdog(struct run_notes notes, enum outcome outcome, const struct tally *tally);
/* The step went well, and its verdict has a warning. */
void run_rows_note_warning(struct run_notes notes, const struct verdict *verdict);
/* The phase went well, and what it used is not known: a resume does it again. */
void run_rows_note_unrecorded(struct run_notes notes, const struct phase *phase, const char *why);
/* The stages of cloud-init (stage/cloud_init.h) that ended since the run began, as samples; `list` may be
 * NULL. */
void run_rows_put_samples(struct run_notes notes, const struct run_birth *birth, const struct json *list);
/* Async jobs that a look at the host saw: how many, and their ids (an array, kept; may be NULL). */
void run_rows_note_async(struct run_notes notes, int jobs, struct json *ids);
