/* The cells over one transport, weighed against each other: alike ones are one, and of what the bad ones
 * asked that is left which no good one asked as much of. Pure; conclude.c gives it words. */
#pragma once
#include "base/words.h"
#include "diagnose/cell.h"
#include "diagnose/levels.h"

enum { WEIGH_CLIENT = LEVEL_COUNT /* in `left`: which client it was */, WEIGH_KINDS };

struct weighed {
    const struct cell *cell; /* the first of those alike; borrowed */
    struct levels levels;
    bool ok, flaky, rides /* on a master that was there before */;
};

struct weighing {
    const char *transport; /* borrowed */
    struct weighed *cells;
    size_t count, good, bad;
    size_t begun, not_begun;         /* of the bad ones: those over which bytes went, and the others */
    bool baseline_ok, baseline_seen; /* the plain echo, by any client */
    size_t left[WEIGH_KINDS];        /* in how many bad cells that began each is left */
    double good_most[LEVEL_COUNT], bad_least[LEVEL_COUNT];
    struct words uncounted, flaky;
};

/* Whether such an end says anything of the path. */
bool weigh_counts(const struct cell *cell);
void weigh(const struct cell *cells, size_t count, const char *transport, struct weighing *out);
void weighing_clear(struct weighing *weighing);
/* "bulk-down 8.0 MB by libssh"; malloc'ed. */
char *weigh_name(const struct cell *cell);
