/* Why a phase's attempt ended: the table of docs/contract.md, "Outcomes", pure over the evidence. Counted events come first; the exit code is one witness only. */
#pragma once
#include "config/watchdog_facts.h"
#include "event/outcome.h"
#include "event/tally.h"
#include "process/child.h"

/* What made an attempt end, when it was us. */
enum ended_by {
    ENDED_BY_ITSELF,
    ENDED_BY_CANCEL,
    ENDED_BY_WATCHDOG, /* from here on: each row of config/watchdog_facts.h, by its place */
    ENDED_BY_TRANSPORT = ENDED_BY_WATCHDOG + WATCHDOG_TRANSPORT,
    ENDED_BY_DEADLINE = ENDED_BY_WATCHDOG + WATCHDOG_DEADLINE,
    ENDED_BY_SILENCE = ENDED_BY_WATCHDOG + WATCHDOG_SILENCE,
    ENDED_BY_TASK = ENDED_BY_WATCHDOG + WATCHDOG_TASK,
    ENDED_BY_STAYING = ENDED_BY_WATCHDOG + WATCHDOG_STAYING,
};

/* The watchdog's row; an empty one where it was none. */
const struct watchdog_facts *ended_by_watchdog(enum ended_by by);

struct evidence {
    enum ended_by by;
    const struct child_end *end;
    const struct tally *tally;
    bool out_of_memory;      /* the kernel's OOM killer struck while it ran */
    bool lost_handlers_warn; /* a debt of handlers does not fail the attempt */
    const char *log_tail;    /* last lines of the log, for messages; may be "" */
    const char *
        path_cause; /* what the transport watchdog saw last: "path-dead", "host-silent", …; NULL: nothing wrong, or not watched */
    const char *path_words; /* the same in words; NULL like it */
    const char *looked_at;  /* the run, where a look at what was ended is among its events; NULL: none */
};

struct verdict {
    enum outcome outcome;
    char *
        cause; /* a word or two, may be NULL: "signal", "oom", "events-incomplete", "handlers-lost", "refused", "no-hosts", …; of ok it is a warning: "did-not-leave", "handlers-dropped" */
    char *
        message; /* one line for people, printable, at most 8 KiB before what is not is written as \xNN; NULL for ok without a warning */
};

/* Malloc'ed texts; verdict_free. */
struct verdict verdict_of_phase(const struct evidence *evidence);
void verdict_free(struct verdict *verdict);
