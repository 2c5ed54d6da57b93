#include "figures/ranks.h"

#include "base/memory.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Above this many additions for one test the normal approximation is good enough, and quicker. */
enum { EXACT_LIMIT = 4000000 };

struct ranked {
    int64_t value;
    size_t rank; /* doubled, so that the mean rank of ties is whole */
    bool after;
};

static int by_value(const void *a, const void *b)
{
    int64_t left = ((const struct ranked *)a)->value, right = ((const struct ranked *)b)->value;
    return (left > right) - (left < right);
}

/* Ranks all values of both samples; gives the sum of t^3 - t over groups of t equal ones. */
static double rank_all(const int64_t *before, size_t before_count, const int64_t *after, size_t after_count,
                       struct ranked *out)
{
    size_t count = before_count + after_count;
    double ties = 0;
    for (size_t i = 0; i < count; i++)
        out[i] = i < before_count ? (struct ranked){before[i], 0, false}
                                  : (struct ranked){after[i - before_count], 0, true};
    qsort(out, count, sizeof *out, by_value);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from; to < count && out[to].value == out[from].value;)
            to++;
        double equal = (double)(to - from);
        ties += equal * equal * equal - equal;
        for (size_t i = from; i < to; i++)
            out[i].rank = from + 1 + to;
    }
    return ties;
}

/* The share of all ways to pick `pick` of the ranks whose sum is at least `sum`. */
static double share_at_least(const struct ranked *ranked, size_t count, size_t pick, size_t sum)
{
    size_t most = pick * 2 * count, width = most + 1;
    AUTO_FREE double *ways = xcalloc((pick + 1) * width, sizeof *ways);
    ways[0] = 1;
    for (size_t i = 0; i < count; i++)
        for (size_t picked = i + 1 < pick ? i + 1 : pick; picked > 0; picked--) {
            double *into = ways + picked * width;
            const double *from = ways + (picked - 1) * width;
            for (size_t at = ranked[i].rank; at <= most; at++)
                into[at] += from[at - ranked[i].rank];
        }
    double all = 0, hit = 0;
    for (size_t at = 0; at <= most; at++) {
        all += ways[pick * width + at];
        hit += at >= sum ? ways[pick * width + at] : 0;
    }
    return hit / all;
}

double rank_test(const int64_t *before, size_t before_count, const int64_t *after, size_t after_count)
{
    size_t count = before_count + after_count, sum = 0;
    if (!before_count || !after_count)
        return 1;
    AUTO_FREE struct ranked *ranked = xcalloc(count, sizeof *ranked);
    double ties = rank_all(before, before_count, after, after_count, ranked);
    for (size_t i = 0; i < count; i++)
        sum += ranked[i].after ? ranked[i].rank : 0;
    size_t fewer = before_count < after_count ? before_count : after_count;
    double n = (double)count, few = (double)fewer;
    if (2 * n * n * few * few <= EXACT_LIMIT) {
        if (fewer == after_count)
            return share_at_least(ranked, count, fewer, sum);
        /* The same told from the other sample: its sum is small; with the ranks turned round, large. */
        size_t others = count * (count + 1) - sum, turned = 2 * (count + 1);
        for (size_t i = 0; i < count; i++)
            ranked[i].rank = turned - ranked[i].rank;
        return share_at_least(ranked, count, fewer, fewer * turned - others);
    }
    double of_before = (double)before_count, of_after = (double)after_count;
    double variance = of_before * of_after / 12 * (n + 1 - ties / (n * (n - 1)));
    if (variance <= 0)
        return 1;
    double z = ((double)sum / 2 - of_after * (n + 1) / 2 - 0.5) / sqrt(variance);
    return 0.5 * erfc(z / sqrt(2));
}

double rank_test_least(size_t before_count, size_t after_count)
{
    double least = 1;
    if (!before_count || !after_count)
        return 1;
    for (size_t i = 1; i <= after_count; i++)
        least *= (double)i / (double)(before_count + i);
    return least;
}

static int by_size(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static int64_t median_of(int64_t *values, size_t count)
{
    if (!count)
        return 0;
    qsort(values, count, sizeof *values, by_size);
    int64_t low = values[(count - 1) / 2], high = values[count / 2];
    return low + (high - low) / 2;
}

int64_t rank_test_median(const int64_t *values, size_t count)
{
    AUTO_FREE int64_t *copy = xcalloc(count ? count : 1, sizeof *copy);
    if (count)
        memcpy(copy, values, count * sizeof *copy);
    return median_of(copy, count);
}

int64_t rank_test_shift(const int64_t *before, size_t before_count, const int64_t *after, size_t after_count)
{
    size_t count = before_count * after_count;
    AUTO_FREE int64_t *differences = xcalloc(count ? count : 1, sizeof *differences);
    for (size_t i = 0; i < count; i++)
        differences[i] = after[i / before_count] - before[i % before_count];
    return median_of(differences, count);
}
