/* Everything that is there of a project: what the providers of its targets list, whoever made it, beside the
 * rows of its store, and what a sweep may do with each. Looks only: nothing is changed. */
#pragma once
#include "provider/due.h"
#include "provider/places.h"

struct estate_place {
    struct place *of;
    struct listing listing;
    struct error trouble; /* it could not be asked; kind ERROR_NONE: it was, or is mute */
    bool asked;           /* it was, and answered */
    int64_t now_ns;       /* of both clocks (due_now) */
    int64_t ahead_ns;     /* by how much its clock is ahead of this machine's; 0: they agree */
};

struct estate_item {
    const char *provider;
    const struct estate_place *place; /* NULL: no target of the files leads to where it is */
    const struct listed *listed;      /* NULL: its provider lists nothing of it */
    const struct machine *machine;    /* NULL: no row of this store knows it */
    const char *target;               /* whose it is, as far as that is known; NULL: nobody said */
    int64_t now_ns;                   /* by the clock that counts for it */
    enum due due;
    char *why;          /* it goes or stays */
    const char *became; /* NULL: nothing was done; "removed", "failed" */
    char *trouble;      /* why it failed */
};

struct estate {
    struct place *of;
    struct estate_place *places;
    size_t place_count;
    struct machine **rows;
    size_t row_count;
    struct estate_item *items;
    size_t count;
};
#define AUTO_ESTATE __attribute__((cleanup(estate_clear))) struct estate
void estate_clear(struct estate *estate);

/* Asks every place that the project's targets lead to, one after the other, and its store. `only` (a target's
 * name; NULL: all): what is this target's alone, of the places that it leads to. -1 only where the store
 * cannot be read; a place that cannot be asked stands there with its trouble. */
int estate_look(const struct project *project, const char *only, struct estate *out, struct error *err);
/* While somebody thought about what was shown a run may have begun: looks anew; what goes then is what was
 * shown as going and still may. On failure `shown` is as it was. */
int estate_look_again(const struct project *project, const char *only, struct estate *shown,
                      struct error *err);
size_t estate_count(const struct estate *estate, enum due due);
