/* Whether the values of one sample tend to be larger than those of another, told from their ranks alone, so
 * that neither the shape of the noise nor a stray value decides it. Source: Mann and Whitney 1947; for few
 * values the p is exact over all ways to deal the ranks out (ties share the mean of their ranks), for many
 * it is the normal approximation with corrections for ties and continuity. No C library that Debian has
 * with pkg-config knows the test with ties (GSL has no rank tests, libRmath only the table without ties). */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The one-sided p of "after is not larger than before". 1 where a sample is empty. */
double rank_test(const int64_t *before, size_t before_count, const int64_t *after, size_t after_count);
/* The smallest p that samples of these sizes can give at all. */
double rank_test_least(size_t before_count, size_t after_count);
/* How much larger after is: the median of all differences (Hodges and Lehmann 1963); 0 where a sample is
 * empty. */
int64_t rank_test_shift(const int64_t *before, size_t before_count, const int64_t *after, size_t after_count);
/* Of values in any order; the mean of the two in the middle for an even number; 0 of none. */
int64_t rank_test_median(const int64_t *values, size_t count);
