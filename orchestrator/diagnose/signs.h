/* What says by itself what is wrong with the cells over one transport, before they are set against each
 * other. A table, in the order in which they are believed. Pure. */
#pragma once
#include "diagnose/finding.h"
#include "diagnose/surroundings.h"
#include "diagnose/weigh.h"

struct signs_case {
    const struct weighing *over; /* the transport in question */
    const struct surroundings *surroundings;
    const struct surroundings_way *way; /* NULL: nothing is known of it */
    const char *elsewhere;              /* another transport with a good echo; NULL: there is none */
    const struct weighing *all;         /* every transport, `over` among them */
    size_t count;
};

/* Fills variable, sure and words where one fits; false, and `out` untouched, where none does. */
bool signs_find(const struct signs_case *of, struct finding *out);
