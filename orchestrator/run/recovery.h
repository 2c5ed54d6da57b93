/* What stands between an attempt of a phase that broke and whatever comes next: a table of parts
 * (recovery.c), each a step of the run with a row of its own, so that the report shows where the time went.
 * Also what earlier runs owe: looks at the host that nobody could make. Pure: the runner starts the parts
 * and says how they ended. */
#pragma once
#include "config/config.h"
#include "format/json.h"
#include <stdint.h>

/* In the order in which they come. */
enum recovery_part {
    RECOVERY_SWEEP,     /* the run's masters end, the host is looked at over a new connection */
    RECOVERY_ASYNC,     /* async jobs of the run that have not ended are waited for */
    RECOVERY_PAUSE,     /* retry_pause */
    RECOVERY_TRANSPORT, /* verified anew, in the order of the target's list */
    RECOVERY_MAKE_UP,   /* looks that are still owed are made over the transport that was just verified */
    RECOVERY_OVER,
};

enum { RECOVERY_LOOKS_MOST = 8 };

struct recovery_look { /* one ended step after which the host is to be looked at */
    char *run;
    int step;
    char *session, *boot; /* of the connection that carried it; NULL: not known */
    /* when it began, by the host's clock: "TICKS+SECONDS" since the host's boot; NULL: not known */
    char *since;
};

/* What is known of the connection that carries a step, from when it was verified. */
struct recovery_link {
    const char *session, *boot; /* NULL: not known */
    int64_t host_ticks, at_ns;  /* as in struct transport_result */
};

struct recovery {
    unsigned due; /* parts, a bit each */
    bool again;   /* the phase is tried again afterwards */
    bool lost;    /* the connection to the host was: it may be gone for good */
    struct recovery_look looks[RECOVERY_LOOKS_MOST];
    int look_count;
};

/* The stage that does the part ("sweep", "async", "transport"); NULL: none. */
const char *recovery_stage(enum recovery_part part);
/* Whether a stage is a look at the host that comes after an attempt which broke ("sweep", "async"). */
bool recovery_is_look(const char *stage);
/* An attempt ended. `again`: it will be tried again. What it may have left (`may_leave`: outcome_may_leave)
 * is looked for; without `look` that is only owed. */
void recovery_broke(struct recovery *recovery, bool may_leave, bool again, bool look, const char *run,
                    int step, const struct recovery_link *link, int64_t started_monotonic_ns);
/* A look that an earlier run owes. `evidence`: of the step's transport, as stored; may be NULL. More than
 * RECOVERY_LOOKS_MOST wait for the next run. */
void recovery_owe(struct recovery *recovery, const char *run, int step, const char *evidence,
                  int64_t started_monotonic_ns);
/* The part that comes next. Without a second attempt nothing behind the sweep comes. */
enum recovery_part recovery_next(const struct recovery *recovery);
/* It ended, well or not. `jobs`: async jobs that the sweep saw. A transport that was verified, whoever asked
 * for it, makes what is owed due. */
void recovery_ended(struct recovery *recovery, enum recovery_part part, bool well, int jobs);
/* The host was looked at for this step. */
void recovery_looked(struct recovery *recovery, const char *run, int step);
/* The part's share of its stage's request (stage/sweep.h). */
struct json *recovery_request(const struct recovery *recovery, enum recovery_part part, const char *root_run,
                              const struct phase *phase);
/* How long its stage may take. A run that is being cancelled, or whose host was lost and is not tried again,
 * waits only for what is told to end. */
int64_t recovery_bound(const struct recovery *recovery, enum recovery_part part, const struct target *target,
                       const struct phase *phase, bool cancelled, int64_t left_of_run_ns);
void recovery_clear(struct recovery *recovery);
