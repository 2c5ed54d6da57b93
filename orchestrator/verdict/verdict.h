/* Why something ended as it did: one table each for an attempt of a phase, one of a stage, and a whole run
 * (docs/contract.md, "Outcomes"), pure over the evidence. The first row that fits decides. Its name and what
 * was seen are recorded beside the outcome, so that `report --explain` can tell them. Of a phase counted
 * events come first; the exit code is one witness only. */
#pragma once
#include "base/error.h"
#include "config/watchdog_facts.h"
#include "event/outcome.h"
#include "event/tally.h"
#include "process/child.h"

/* What made an attempt end, when it was not itself. */
enum ended_by {
    ENDED_BY_ITSELF,
    ENDED_BY_CANCEL,
    ENDED_BY_DEATH,    /* of triphase itself: what is known was read afterwards */
    ENDED_BY_ROLLBACK, /* the host had put itself back under it (confirm) */
    ENDED_BY_WATCHDOG, /* from here on: each row of config/watchdog_facts.h, by its place */
    ENDED_BY_TRANSPORT = ENDED_BY_WATCHDOG + WATCHDOG_TRANSPORT,
    ENDED_BY_DEADLINE = ENDED_BY_WATCHDOG + WATCHDOG_DEADLINE,
    ENDED_BY_SILENCE = ENDED_BY_WATCHDOG + WATCHDOG_SILENCE,
    ENDED_BY_TASK = ENDED_BY_WATCHDOG + WATCHDOG_TASK,
    ENDED_BY_STAYING = ENDED_BY_WATCHDOG + WATCHDOG_STAYING,
};

/* The watchdog's row; an empty one where it was none. */
const struct watchdog_facts *ended_by_watchdog(enum ended_by by);

/* What became of a phase's `confirm`. */
enum confirm_became {
    CONFIRM_BECAME_NOTHING, /* it was neither armed nor refused */
    CONFIRM_BECAME_UNARMED, /* the host does not take it: the phase's process never started */
    CONFIRM_BECAME_NO_WAY,  /* the same, since there was no way to the host */
    CONFIRM_BECAME_ARMED,   /* and no more is known */
    CONFIRM_BECAME_CONFIRMED,
    CONFIRM_BECAME_BACK, /* the host has put itself back */
    CONFIRM_BECAME_OPEN, /* nobody knows */
};

struct confirm_seen {
    enum confirm_became became;
    const char *words; /* for people; NULL where nothing is said */
    const char *cause; /* of BACK; static */
};

/* What a stage's process answered. */
struct stage_answer {
    const char *stage;
    bool joins;                  /* it sees that the host is in its tailnet */
    bool look;                   /* it looks at the host for what an attempt left there, or waits for it */
    bool ready;                  /* it waits until the host is ready */
    bool health;                 /* it waits until the host is healthy */
    bool answered, failed;       /* failed: the answer is an error, ... */
    enum error_kind kind;        /* ... of this kind */
    const char *cause, *message; /* of the error; cause may be NULL */
    const char *warning;         /* of one that did not fail; NULL: none */
};

/* Where a run stands that goes no further. What does not apply is 0. */
struct run_standing {
    bool died;                            /* its worker, so that others put in order what it left, ... */
    int ended;                            /* ... that many processes among it */
    const char *unstored, *store_failure; /* what could not be stored ("the end of the step"), and why */
    const struct error *unbegun;          /* why the next step cannot begin */
    struct {
        enum outcome outcome; /* OUTCOME_NONE: the run stands between two steps */
        const char *name, *message;
        int seq, attempt, attempts; /* attempts: as many as it may have; 0: it is a stage */
        bool retried;               /* one that ended so may be tried again, while attempts are left */
    } step;                         /* that ended just now */
    int last_step;                  /* seq of the last one; 0: none */
    bool cancelled, expired;        /* expired: the run's deadline struck */
    bool changed;                   /* a task changed something where none should */
    bool dry_run;                   /* all that changed would have, ... */
    int64_t would_change;           /* ... so many tasks */
};

/* Of an attempt; of a run `run` alone. All of it is borrowed. */
struct evidence {
    enum ended_by by;
    const struct child_end *end;
    const struct tally *tally; /* empty of a stage */
    bool out_of_memory;        /* the kernel's OOM killer struck while it ran */
    bool only_looks;           /* nothing is to be changed in it */
    bool lost_handlers_warn;   /* a debt of handlers does not fail the attempt */
    const char *log_tail;      /* last lines of the log, for messages; may be "" */
    /* What the transport watchdog saw last: "path-dead", "host-silent", …; NULL:
     * nothing wrong, or not watched. */
    const char *path_cause;
    const char *path_words; /* the same in words; NULL like it */
    const char *looked_at;  /* the run, where a look at what was ended is among its events; NULL: none */
    const struct confirm_seen *confirm; /* NULL: the phase has none */
    const struct stage_answer *stage;   /* NULL: a phase */
    const struct run_standing *run;     /* NULL: an attempt */
};

struct verdict {
    enum outcome outcome;
    /* A word or two, may be NULL: "signal", "oom", "events-incomplete", "refused", …; of ok it is a warning:
     * "did-not-leave", "handlers-dropped". */
    char *cause;
    /* For people; NULL for ok without a warning. Of a phase it quotes playbooks and hosts: one line,
     * printable, at most 8 KiB before what is not is written as \xNN. */
    char *message;
    const char *row; /* the name of the row that fitted; static */
    char *seen;      /* the evidence in words, printable: "exit code 4, 1 host lost, …" */
    char *found;     /* JSON text of what a stage found out, for its row; NULL: nothing, or a phase */
};

struct verdict_row {
    const char *name; /* short and stable, one of its kind in its table */
    bool (*fits)(const struct evidence *);
    enum outcome outcome;                  /* OUTCOME_NONE: as the table's `seen_outcome` says */
    const char *cause;                     /* where `seen_cause` knows no better one */
    const char *means;                     /* what is so where it fits, in one line for people */
    char *(*say)(const struct evidence *); /* the message, malloc'ed or NULL; NULL: none */
    const char *(*seen_cause)(const struct evidence *);
};

struct verdict_table {
    const char *of; /* "phase", "stage", "run" */
    const struct verdict_row *rows;
    size_t count;
    bool quotes;                                           /* messages hold what playbooks and hosts say */
    enum outcome (*seen_outcome)(const struct evidence *); /* NULL: each row has its own */
    void (*see)(const struct evidence *, struct text *);   /* puts the evidence into words */
};

/* Malloc'ed texts; verdict_clear. */
struct verdict verdict_of_phase(const struct evidence *evidence);
struct verdict verdict_of_stage(const struct evidence *evidence);
struct verdict verdict_of_run(const struct run_standing *standing);
void verdict_clear(struct verdict *verdict);

/* "phase", "stage" (as a step's kind) or "run"; NULL: there is none. */
const struct verdict_table *verdict_table(const char *of);
/* Where in its table a row stands, from 0; -1: it has none of that name (or NULL). */
int verdict_row_at(const struct verdict_table *table, const char *name);
