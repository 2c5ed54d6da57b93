/* Two diagnoses side by side, taken for example in two containers that were started differently. Pure. */
#pragma once
#include "diagnose/diagnosis.h"

struct compare_row {
    const struct cell *before, *after; /* borrowed; NULL: that side did not take it */
    bool differs;                      /* one ended well, the other did not */
};

struct compared {
    struct compare_row *rows; /* those that differ first */
    size_t count, differing;
    struct words surroundings; /* what else is different: "network: A, then B" */
    struct words changed;      /* words of it alone, "network", "transport"… */
    /* What follows: one thing that changed may be it, of several none is told from the others. */
    char *words;
};

/* The diagnoses outlive it. Cells over different transports are set beside each other where a side has that
 * work over one transport alone. */
void compare_diagnoses(const struct diagnosis *before, const struct diagnosis *after, struct compared *out);
struct json *compared_json(const struct compared *compared);
void compared_clear(struct compared *compared);
