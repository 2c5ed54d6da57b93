/* One diagnosis whole: its cells, what was seen beside them, and what follows. */
#pragma once
#include "diagnose/conclude.h"

struct diagnosis {
    char *id, *target, *size, *node;
    int64_t started_ns /* wall clock */, duration_ns /* -1: it did not end */;
    struct cell *cells; /* those that were taken once more behind the others */
    size_t count;
    struct surroundings seen;
    struct conclusion said; /* of diagnosis_conclude */
    char *threshold;        /* what halving found, in words; NULL: nobody looked */
};

#define AUTO_DIAGNOSIS __attribute__((cleanup(diagnosis_clear))) struct diagnosis

/* Takes the cell over. */
void diagnosis_add(struct diagnosis *diagnosis, struct cell *cell);
/* Fills `said` from what is there, anew. */
void diagnosis_conclude(struct diagnosis *diagnosis);
/* As `diagnose --json` prints it, with "version". */
struct json *diagnosis_json(const struct diagnosis *diagnosis);
/* From the store's object or from that of diagnosis_json; concluded. ERROR_PROJECT where it is neither. */
int diagnosis_of_json(const struct json *object, struct diagnosis *out, struct error *err);
void diagnosis_clear(struct diagnosis *diagnosis);
