/* What a run consists of: its items, stages and phases, in order. */
#pragma once
#include "run/request.h"
#include <stddef.h>

struct item {
    /* "provision", "tailnet-look", "tailnet", "destroy" or one of config/ready_step.h; NULL: a phase */
    const char *stage;
    const struct phase *phase; /* NULL: a stage */
    size_t ready;              /* of a stage that waits until the host is ready: which entry of `ready` */
    int number;                /* of a stage: how often it was there so far, this time too */
    bool over_transport;       /* the stage goes to the host as the next phase does */
    const struct phase *like;  /* ... or as this one does, which comes before it; NULL: it does not */
    bool joins;                /* it brings the host into its tailnet: of no use to one that is there */
};

struct items {
    struct item *all;
    size_t count;
    struct phase **direct; /* copies of phases that go over `direct` alone; what they point to is borrowed */
    size_t direct_count;
};

/* create: provision, the stages that wait until the host is ready (of a machine that is a device of its
 * tailnet already they come last, over the transport that carries it), of a target that joins a tailnet
 * tailnet-look, bootstrap (over direct) and tailnet, then phases. run: phases. Of both those that only look
 * come last, unless the run is partial and does not name them; behind them, where it is required and the run
 * is whole, the wait until the host is healthy. destroy: teardown phases, destroy. Of a resume what is
 * completed is left out; a machine that was made is verified again. */
void items_make(const struct runner_request *request, struct items *out);
void items_clear(struct items *items);
