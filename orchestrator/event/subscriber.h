/* Who hears what a run tells: a table of calls, one for each receiver. A call that is NULL is not wanted. The
 * sink makes them, from the thread of the worker's loop alone and never one within another:
 * `open`, then `event` for each event once, in the order in which they were told and the same for all, then
 * `close`. None may block (the store's waits for 1 s where its queue is full): what takes longer is for a
 * thread or child of the receiver's own. A receiver is a row of run/subscribers.c. */
#pragma once
#include "base/error.h"
#include "event/event.h"
#include <stdbool.h>
#include <stdint.h>

/* Of the run that begins; borrowed for the call of `open`. */
struct subscriber_place {
    const char *store;      /* path of the project's store */
    const char *run_folder; /* .triphase/runs/RUN, which is there */
};

struct subscriber {
    const char *name; /* in messages: "the store" */
    /* Without it no run begins. Of another one that cannot be opened the rest is told, as of an event that it
     * lost, and it hears nothing. */
    bool needed;
    /* What it puts into *self goes to every other call. When it fails nothing is left open. */
    int (*open)(const struct subscriber_place *place, void **self, struct error *err);
    /* The event is borrowed for the call. -1: this one is lost to it. That harms neither the run nor the
     * other receivers, who hear of the first such loss in a note (`warning`, not-told), and it is given the
     * next event all the same. */
    int (*event)(void *self, const struct event *event, struct error *err);
    /* What the begin and end of runs and steps wait for: how many of its events, counted from the first, are
     * on disk; one that it lost (-1 of `event`) counts among them. NULL: nobody waits for this receiver.
     * With it come the next two. */
    uint64_t (*committed)(void *self);
    /* Readable once `committed` or `failure` has changed; asking for the first takes the signal
     * away. Its own, until `close`. */
    int (*notify_fd)(void *self);
    /* NULL while all is well. Else why it will write no more: whoever waits is told so, and the run ends as
     * crashed. Borrowed until `close`. */
    const char *(*failure)(void *self);
    /* When (monotonic) it was last held up by what is no failure, another process's lock; 0: never. Its time
     * to commit counts from there. */
    int64_t (*held_at)(void *self);
    /* The run is to end: from now on what holds it up for so long is a failure. */
    void (*hurry)(void *self, int64_t held_ns);
    /* Brings to an end within the bound what it was given, and frees all of it in any case. -1: something of
     * that is lost, which counts only of one that is waited for. */
    int (*close)(void *self, int64_t bound_ns, struct error *err);
};
