/* The health of a run's target while the run goes on: its watch, the samples and notes that become of it, and
 * the stage `health`, which waits for it. Of a target without one it does nothing. */
#pragma once
#include "event/sink.h"
#include "health/watch.h"
#include "run/context.h"

struct health_drive {
    struct health_watch *watch; /* NULL: nothing is watched */
    const struct run_context *context;
    struct sink *sink;
    const int *seq; /* of the run's last step */
    char *place;    /* what the watch was told last */
    int waiting[2]; /* the stage's end of a socket and this one; -1: it does not run */
};

#define HEALTH_DRIVE_INIT     \
    {                         \
        .waiting = { -1, -1 } \
    }

/* All of it is borrowed. Not of a destroy. */
int health_drive_start(struct health_drive *drive, struct loop *loop, const struct run_context *context,
                       struct sink *sink, const int *seq, struct error *err);
/* Whatever happened: machine or transport may be others now. */
void health_drive_look(struct health_drive *drive);
/* The network of the host was stirred up. */
void health_drive_renew(struct health_drive *drive);
/* What the stage's process is given, to read in packets what each look from now on saw:
 * {healthy, cause, message, via}. */
int health_drive_wait(struct health_drive *drive, struct error *err);
void health_drive_waited(struct health_drive *drive); /* also where nobody waits */
/* The run ends: the last sample is told. */
void health_drive_end(struct health_drive *drive);
void health_drive_clear(struct health_drive *drive);
