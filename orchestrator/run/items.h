/* What a run consists of: its items, stages and phases, in order. */
#pragma once
#include "run/request.h"
#include <stddef.h>

struct item {
    const char *stage;         /* "provision", "tailnet-look", "tailnet" or "destroy"; NULL: a phase */
    const struct phase *phase; /* NULL: a stage */
    bool joins;                /* it brings the host into its tailnet: of no use to one that is there */
};

struct items {
    struct item *all;
    size_t count;
    struct phase **direct; /* copies of phases that go over `direct` alone; what they point to is borrowed */
    size_t direct_count;
};

/* create: provision, of a target that joins a tailnet tailnet-look, bootstrap (over direct) and tailnet,
 * then phases. run: phases. destroy: teardown phases, destroy. Of a resume what is completed is left out; a
 * machine that was made is verified again. */
void items_make(const struct runner_request *request, struct items *out);
void items_clear(struct items *items);
