/* One supervised step: its row is on disk before its process starts, the process lives in a scope of its own
 * under watchdogs, and when it is over the scope is empty (or the row says how many could not be ended)
 * before its end is written. The lifecycle is the table in step.c. */
#pragma once
#include "event/sink.h"
#include "process/loop.h"
#include "step/order.h"
#include "verdict/verdict.h"

struct step_end {
    struct verdict verdict;
    struct child_end child;    /* of the main process; exited with -1 when it never started */
    const struct tally *tally; /* valid during the callback */
    enum ended_by by;
    int64_t knocked_ns; /* when a new connection to the host was tried last, monotonic; 0: never */
    bool unanswered;    /* it was ended for a dead path on which a new connection got no answer either */
    bool unconfirmed;   /* what became of its way back (`confirm`) is not known */
    bool stored;        /* its end is in the store */
    const char *store_failure; /* why not */
};

struct step;
/* Turns the evidence into a verdict: that of a phase or of a stage. */
typedef struct verdict step_judge(void *context, const struct evidence *evidence);
/* Called once, from the loop, when all is over; the step may be freed in it. `started` is false when its
 * begin could not be committed. */
typedef void step_over(void *context, bool started, const struct step_end *end);

/* Plans are copied as far as they are kept; pointers in `plan` must stay valid until it is over. -1 when log
 * or event file cannot be made. */
int step_start(struct loop *loop, struct sink *sink, const struct step_order *plan, step_judge *judge,
               step_over *over, void *context, struct step **out, struct error *err);
/* First call: TERM and grace. Second: KILL at once. Both end as `cancelled`. */
void step_cancel(struct step *step);
/* The run's own deadline struck: ends as `deadline`. */
void step_expire(struct step *step);
/* Its main process, -1 before it started. */
pid_t step_child(const struct step *step);
void step_free(struct step *step);
