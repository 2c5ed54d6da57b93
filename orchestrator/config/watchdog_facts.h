/* What may end an attempt of a phase before its own end, and what else bounds it. A watchdog is a row of
 * the one table of them: the key that sets it, what an end by it is called, and when it strikes. Nothing
 * else knows of all of them. */
#pragma once
#include "config/key.h"
#include <stddef.h>

struct watchdog_signs; /* step/watchdog.h; what is in here knows of it only that it is there */
/* When it strikes (monotonic ns, WATCHDOG_NEVER: not at all), by what the attempt has shown so far. Asked
 * again whenever that changes: pure, quick. `limit`: what its key says, never 0; 0 where it has no key. */
typedef int64_t watchdog_when(const struct watchdog_signs *signs, int64_t limit);

struct watchdog_facts {
    /* of a phase: a duration, or a count; 0 or `none`: it never strikes. No name: nobody sets it */
    struct key key;
    const char *outcome; /* of an attempt that it ended; NULL: what its tasks came to */
    const char *cause;
    const char *words;   /* what happened, before where it did; NULL: the outcome says it */
    bool hears_output;   /* it wants to know of output */
    watchdog_when *when; /* NULL: it has timers of its own (transport/watch.h) */
};

/* The rows that are called by their names here and there. */
enum watchdog {
    WATCHDOG_TRANSPORT,
    WATCHDOG_DEADLINE,
    WATCHDOG_SILENCE,
    WATCHDOG_TASK,
    WATCHDOG_STAYING, /* all its tasks have ended, and its process does not leave */
    WATCHDOG_ROOM = 16
};

/* The row at this place; NULL behind the last. */
const struct watchdog_facts *watchdog_facts(size_t row);

/* What bounds an attempt: handed on as a whole from the recipe to whoever keeps to it. */
struct phase_limits {
    int64_t of[WATCHDOG_ROOM];  /* of each row: ns, or a count; 0: none */
    int64_t grace_ns;           /* from TERM to KILL, here */
    int64_t host_grace_ns;      /* and on the host, for what a broken attempt left */
    int64_t transport_lost_ns;  /* how long the path may be dead */
    int64_t host_silent_ns;     /* how long a host may acknowledge and not answer */
    int64_t transport_grace_ns; /* in place of the first, while what runs outlives a lost connection */
};
