/* The two rows of a step: the one that stands before its process starts, and the one that says what became of
 * it. Pure; the rows borrow whatever they are made from. */
#pragma once
#include "event/event.h"
#include "step/order.h"
#include "verdict/verdict.h"

/* Where and when a step began. */
struct step_birth {
    enum scope_kind scope;
    int64_t started_ns, started_monotonic_ns; /* wall clock, and this boot's */
};

struct step_result {
    const struct verdict *verdict;
    const struct child_end *child; /* of the main process */
    const struct tally *tally;
    enum ended_by by;
    int survivors;             /* processes on this machine that could not be ended */
    int64_t cpu_usec;          /* of all that ran; -1: not known */
    int64_t event_bytes;       /* read of the event file */
    const char *handlers_owed; /* JSON text; NULL: none */
};

struct event step_rows_begin(const struct step_order *plan, const struct step_birth *birth);
/* Its duration ends at the call. */
struct event step_rows_end(const struct step_order *plan, const struct step_birth *birth,
                           const struct step_result *result);
