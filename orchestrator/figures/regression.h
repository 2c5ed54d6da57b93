/* What got slower beyond noise. Measured times are few, skewed and have stray values, and many things are
 * looked at at once; so ranks decide where there are enough values on both sides, and where there are not
 * (one run against those before it) a margin that the history's own noise has never come near. Both judge
 * against the time before plus a floor: what is slower by less is no news, however sure it is.
 *
 * Pure arithmetic over rows that the caller fills; triphase(1) tells users the same, and tests/bench measures
 * how often it is wrong. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Any false alarm of the rank test in one comparison is at most this likely. */
#define REGRESSION_ALPHA    0.05
#define REGRESSION_RELATIVE 0.10 /* the floor: this share of the median before, at least… */
#define REGRESSION_LEAST_NS INT64_C(200000000)
/* One run is judged against this many before it, or not at all. */
enum { REGRESSION_HISTORY = 10 };

enum regression_level { REGRESSION_PHASE, REGRESSION_ROLE, REGRESSION_TASK, REGRESSION_LEVELS };
enum regression_test { REGRESSION_NO_TEST, REGRESSION_RANKS, REGRESSION_MARGIN };
enum regression_verdict {
    REGRESSION_NOT_SLOWER,
    REGRESSION_SLOWER,
    REGRESSION_TOO_FEW, /* values: nothing can be said */
    REGRESSION_UNLIKE,  /* set by the caller, left alone here: the sides do not compare */
};

struct regression {
    enum regression_level level;
    const int64_t *before, *after; /* nanoseconds, in any order; borrowed */
    size_t before_count, after_count;
    /* The rest is the judgement; verdict goes in as REGRESSION_UNLIKE or anything else. */
    enum regression_verdict verdict;
    enum regression_test test;
    int64_t before_median_ns, after_median_ns, shift_ns;
    double p; /* corrected for all that the ranks judged: slower is p <= REGRESSION_ALPHA; -1: no rank test */
};

void regression_judge(struct regression *rows, size_t count);
const char *regression_level_name(enum regression_level level);
const char *regression_verdict_name(enum regression_verdict verdict);
const char *regression_test_name(enum regression_test test); /* NULL for none */
