/* Between which two amounts a variable turns from good to bad, by halving: as few cells as that takes.
 * Pure: whoever drives it takes the cells. */
#pragma once
#include "diagnose/finding.h"

enum { THRESHOLD_STEPS = 9 };

struct threshold {
    enum level level;
    double good, bad; /* the largest amount that was well, the least that was not */
    int steps;        /* taken */
};

/* False where the finding has no amount that can be halved. */
bool threshold_begin(const struct finding *finding, struct threshold *out);
/* The cell that is to be taken next, as a work of its own; false once it is found within a tenth, or at
 * the end of its steps. The caller clears it. */
bool threshold_next(const struct threshold *threshold, const char *transport, struct cell *out);
/* What came of it. */
void threshold_told(struct threshold *threshold, const struct cell *cell);
/* "between 4.9 MB and 5.2 MB"; malloc'ed. */
char *threshold_text(const struct threshold *threshold);
