/* What a run consists of: its items, stages and phases, in order. */
#pragma once
#include "run/request.h"
#include <stddef.h>

struct item {
    const char *stage;         /* "provision" or "destroy"; NULL: a phase */
    const struct phase *phase; /* NULL: a stage */
};

struct items {
    struct item *all;
    size_t count;
};

/* create: provision, phases. run: phases. destroy: teardown phases, destroy. Of a resume what is completed is
 * left out; a machine that was made is verified again. */
void items_make(const struct runner_request *request, struct items *out);
void items_clear(struct items *items);
