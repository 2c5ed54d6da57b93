/* The life of a run: its states, what may happen in them, and what the files of the runner share of it.
 * The table is in runner.c. */
#pragma once
#include "ansible/secret_fetch.h"
#include "process/aside.h"
#include "run/attempt.h"
#include "run/contact.h"
#include "run/context.h"
#include "run/health_drive.h"
#include "run/phase_record.h"
#include "run/progress.h"
#include "run/recovery_drive.h"
#include "run/rows.h"
#include "step/step.h"
#include "verdict/verdict.h"

/* What a run waits for, and who may lead it out. Its deadline and a cancel may come in any state:
 * where the table has nothing for them they are only noted (`asked`), and decide when the state
 * is left what comes next. */
enum runner_state {
    RUN_OPENING, /* its row is on its way to the disk. Left by the store's answer alone */
    /* the machine's row is, before anything of the machine exists. By the store's answer alone */
    RUN_ANNOUNCING,
    RUN_FETCHING, /* a child reads the secrets of the phase that is next. By its answer, deadline, cancel */
    /* a step of an item runs: a stage, or a phase's attempt. By its end, which
     * deadline and cancel bring about */
    RUN_WORKING,
    /* the host is looked at after an attempt. By its end: it has a bound of its own, and what it finds
     * belongs to what is being ended, so only a second cancel cuts it short */
    RUN_SWEEPING,
    RUN_LAST_LOOK,  /* the same, and behind it the run ends as `ending` says. By the same */
    RUN_RECOVERING, /* another part of a recovery runs as a stage. By its end, as in RUN_WORKING */
    RUN_PAUSING,    /* the pause before a further attempt. By its end, deadline, cancel */
    /* a phase that ended well is put into the run's plan. By that, which deadline and cancel hurry */
    RUN_RECORDING,
    RUN_CLOSING, /* the run's end is on its way to the disk. By the store's answer alone */
    RUN_BROKEN,  /* the same, where the store had refused something before. By its answer, whatever that is */
    RUN_OVER,    /* the loop is stopped. By nobody */
    RUNNER_STATES
};

enum runner_event {
    RUN_COMMITTED,     /* the store has what it was given */
    RUN_NOT_COMMITTED, /* it never will; `refused` says why */
    RUN_FETCHED,       /* the secrets of the phase are there */
    RUN_NOT_FETCHED,   /* they cannot be had; `unfetched` says why */
    RUN_STEP_ENDED,    /* `over` says how, and the store has it */
    RUN_STEP_LOST,     /* the store has not its begin, or not its end; of `over` */
    RUN_RECORDED,      /* what could be recorded of the phase is */
    RUN_PAUSED,        /* long enough */
    RUN_DEADLINE,      /* of the whole run */
    RUN_CANCEL,
    RUN_CANCEL_AGAIN,
    RUNNER_EVENTS
};

struct runner {
    struct loop *loop;
    struct runner_request request;
    struct sink *sink;
    enum runner_state state;
    struct {
        int cancels;
        bool expired; /* the deadline of the whole run */
    } asked;          /* from outside, in whatever state */

    struct run_context context; /* what attempts read and leave: machine, transport, folders */
    struct progress progress;
    struct phase_record record;
    struct contact contact;
    struct recovery_drive drive;
    struct health_drive health;
    /* what the host is asked for before the first phase (run/confirm_owed.h); NULL: nothing */
    struct json *confirm_owed;
    struct run_birth birth;
    bool changed;          /* a task changed something */
    int64_t changed_items; /* tasks that did, of items that are done and the attempt that ended last, ... */
    int64_t changed_done;  /* ... and of the former alone */

    struct attempt *attempt; /* that runs, or ended just now */
    struct step *step;       /* its own */
    int seq;                 /* of the last step */
    int64_t step_started_ns; /* monotonic */
    struct join_key_fetch fetch;
    bool fetches_key;    /* the phase that is next is given a key to join with */
    struct aside *aside; /* that fetches */

    /* What an event brought, while it is dealt with. */
    bool begun;                  /* of a step that ended: its begin is in the store */
    const struct step_end *over; /* of a step that ended */
    const char *refused;         /* what the store said */
    const struct error *unfetched;

    struct verdict ending; /* how the run ends once the host was looked at */
    struct timer *deadline, *pause, *ahead;
    int64_t started_monotonic;
    char *message; /* why it ended so */
    int exit_code;
};

/* What a state does about an event: one thing; gives the state that follows. */
typedef enum runner_state runner_action(struct runner *runner);
/* Something happened. Only from the loop, never within an action. */
void runner_feed(struct runner *runner, enum runner_event event);

/* Commits the event; the answer comes as RUN_COMMITTED or RUN_NOT_COMMITTED. */
void runner_commit(struct runner *runner, const struct event *event);
struct run_notes runner_notes(const struct runner *runner);
