/* One supervised step: its row is on disk before its process starts, the process lives in a scope of its own under watchdogs, and when it is over the
 * scope is empty (or the row says how many could not be ended) before its end is written. The lifecycle is the table in step.c. */
#pragma once
#include "action/forensics.h"
#include "action/sink.h"
#include "action/spare.h"
#include "action/transport_watch.h"
#include "action/verdict.h"
#include "mechanism/child.h"
#include "mechanism/loop.h"
#include "mechanism/scope.h"

struct step_plan {
    int seq, attempt;
    const char *kind, *name;          /* "stage" or "phase" */
    const char *run;                  /* id */
    const char *transport, *evidence; /* may be NULL */
    const char *host;                 /* the target's name in the inventory; may be NULL */
    const char *log,
        *log_shown; /* absolute path, made by the step (0600), and relative to the state folder, for the row */
    const char *events, *events_shown; /* the same; NULL for stages */
    const char *
        master_log; /* what the shared ssh connection said: tells why a host was UNREACHABLE where Ansible does not; NULL: none */
    struct child_plan child;       /* scope, in, out, error are the step's to fill */
    struct spare **spare;          /* an interpreter that may become the child; NULL, or NULL in it: none */
    const char *scope_name;        /* "run-<id>/NN" */
    const char *scope_marker;      /* "TRIPHASE_STEP=…" */
    const struct scope *run_scope; /* where async jobs of the run go before the step's scope is ended */
    const char *async_marker;      /* "ANSIBLE_ASYNC_DIR=…", NULL: none */
    int64_t deadline_ns, silence_ns, task_ns, grace_ns;
    struct transport_watch_plan transport_watch; /* control_path NULL: nothing to watch */
    struct forensics_plan
        forensics; /* the look before it is ended by us; scope, run and log are the step's to fill; self NULL: none */
    const struct json *pending_handlers; /* owed by earlier attempts; may be NULL */
    bool lost_handlers_warn;
};

struct step_end {
    struct verdict verdict;
    struct child_end child;    /* of the main process; exited with -1 when it never started */
    const struct tally *tally; /* valid during the callback */
    enum ended_by by;
    bool stored;               /* its end is in the store */
    const char *store_failure; /* why not */
};

struct step;
/* Turns the evidence into a verdict: verdict_of_phase, or a stage's own. */
typedef struct verdict step_judge(void *context, const struct evidence *evidence);
/* Called once, from the loop, when all is over; the step may be freed in it. `started` is false when its begin could not be committed. */
typedef void step_over(void *context, bool started, const struct step_end *end);

/* Plans are copied as far as they are kept; pointers in `plan` must stay valid until it is over. -1 when log or event file cannot be made. */
int step_start(struct loop *loop, struct sink *sink, const struct step_plan *plan, step_judge *judge,
               step_over *over, void *context, struct step **out, struct error *err);
/* First call: TERM and grace. Second: KILL at once. Both end as `cancelled`. */
void step_cancel(struct step *step);
/* The run's own deadline struck: ends as `deadline`. */
void step_expire(struct step *step);
/* Its main process, -1 before it started. */
pid_t step_child(const struct step *step);
void step_free(struct step *step);
