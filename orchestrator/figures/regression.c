#include "figures/regression.h"

#include "base/memory.h"
#include "figures/ranks.h"

#include <stdbool.h>

/* A margin is passed by more than six robust standard deviations (1.4826 times the median deviation), and
 * by half more than any time before has strayed, of this and of enough others to have met what strays
 * seldom: those that take about as long or less first. So a second that is lost now and then, here or there,
 * alarms nobody. */
#define MARGIN_DEVIATIONS (6 * 1.4826)
#define MARGIN_STRAY      1.5
enum { STRAYS_WANTED = 300, COMPARABLE = 2 /* times the median, twice that, … */, COMPARABLE_MOST = 1 << 20 };

static int64_t floor_of(const struct regression *row)
{
    int64_t relative = (int64_t)((double)row->before_median_ns * REGRESSION_RELATIVE);
    return relative > REGRESSION_LEAST_NS ? relative : REGRESSION_LEAST_NS;
}

static int64_t extreme(const int64_t *values, size_t count, bool largest)
{
    int64_t found = values[0];
    for (size_t i = 1; i < count; i++)
        if (largest ? values[i] > found : values[i] < found)
            found = values[i];
    return found;
}

static int64_t deviation(const struct regression *row)
{
    AUTO_FREE int64_t *away = xcalloc(row->before_count, sizeof *away);
    for (size_t i = 0; i < row->before_count; i++)
        away[i] = llabs(row->before[i] - row->before_median_ns);
    return rank_test_median(away, row->before_count);
}

/* The largest excess over its own median that anything of the level with at most `times` the row's median
 * had before; `met` counts the values that were looked at. */
static int64_t stray_within(const struct regression *rows, size_t count, const struct regression *row,
                            int64_t times, size_t *met)
{
    int64_t largest = 0;
    *met = 0;
    for (size_t i = 0; i < count; i++) {
        const struct regression *other = &rows[i];
        if (other->level != row->level || !other->before_count ||
            other->before_median_ns / times > row->before_median_ns)
            continue;
        int64_t stray = extreme(other->before, other->before_count, true) - other->before_median_ns;
        largest = stray > largest ? stray : largest;
        *met += other->before_count;
    }
    return largest;
}

static int64_t largest_stray(const struct regression *rows, size_t count, const struct regression *row)
{
    size_t met;
    int64_t largest, times = COMPARABLE;
    do
        largest = stray_within(rows, count, row, times, &met);
    while (met < STRAYS_WANTED && (times *= 2) <= COMPARABLE_MOST);
    return largest;
}

/* Of several new values the smallest has to pass: where one does not, there is no telling. */
static enum regression_verdict judge_by_margin(const struct regression *rows, size_t count,
                                               const struct regression *row)
{
    int64_t excess = extreme(row->after, row->after_count, false) - row->before_median_ns;
    double stray = (double)largest_stray(rows, count, row) * MARGIN_STRAY;
    bool beyond = excess > floor_of(row) && (double)excess > (double)deviation(row) * MARGIN_DEVIATIONS &&
                  (double)excess > stray;
    return beyond ? REGRESSION_SLOWER : REGRESSION_NOT_SLOWER;
}

static double p_of(const struct regression *row)
{
    AUTO_FREE int64_t *raised = xcalloc(row->before_count, sizeof *raised);
    for (size_t i = 0; i < row->before_count; i++)
        raised[i] = row->before[i] + floor_of(row);
    return rank_test(raised, row->before_count, row->after, row->after_count);
}

static int by_p(const void *a, const void *b)
{
    double left = (*(struct regression *const *)a)->p, right = (*(struct regression *const *)b)->p;
    return (left > right) - (left < right);
}

/* Holm's correction within one level, each of which has its third of the alpha: few phases do not pay for
 * many tasks. */
static void judge_by_ranks(struct regression **level, size_t count)
{
    double highest = 0;
    qsort(level, count, sizeof *level, by_p);
    for (size_t i = 0; i < count; i++) {
        double corrected = level[i]->p * (double)(count - i) * REGRESSION_LEVELS;
        highest = corrected > highest ? corrected : highest;
        level[i]->p = highest < 1 ? highest : 1;
        level[i]->verdict = level[i]->p <= REGRESSION_ALPHA ? REGRESSION_SLOWER : REGRESSION_NOT_SLOWER;
    }
}

static void look(struct regression *row)
{
    row->test = REGRESSION_NO_TEST;
    row->p = -1;
    row->before_median_ns = rank_test_median(row->before, row->before_count);
    row->after_median_ns = rank_test_median(row->after, row->after_count);
    row->shift_ns = rank_test_shift(row->before, row->before_count, row->after, row->after_count);
    if (row->verdict != REGRESSION_UNLIKE)
        row->verdict = REGRESSION_TOO_FEW;
}

static void judge_level(struct regression *rows, size_t count, enum regression_level level)
{
    AUTO_FREE struct regression **by_ranks = xcalloc(count ? count : 1, sizeof *by_ranks);
    size_t family = 0, ranked = 0;
    for (size_t i = 0; i < count; i++)
        family += rows[i].level == level && rows[i].verdict != REGRESSION_UNLIKE && rows[i].before_count &&
                  rows[i].after_count;
    for (size_t i = 0; i < count; i++) {
        struct regression *row = &rows[i];
        if (row->level != level || row->verdict == REGRESSION_UNLIKE || !row->before_count ||
            !row->after_count)
            continue;
        /* A test that could not find anything, however clear it is, would be a silent pass. */
        double least = rank_test_least(row->before_count, row->after_count);
        if (least * (double)family * REGRESSION_LEVELS <= REGRESSION_ALPHA) {
            row->test = REGRESSION_RANKS;
            row->p = p_of(row);
            by_ranks[ranked++] = row;
        } else if (row->before_count >= REGRESSION_HISTORY) {
            row->test = REGRESSION_MARGIN;
            row->verdict = judge_by_margin(rows, count, row);
        }
    }
    judge_by_ranks(by_ranks, ranked);
}

void regression_judge(struct regression *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        look(&rows[i]);
    for (int level = 0; level < REGRESSION_LEVELS; level++)
        judge_level(rows, count, (enum regression_level)level);
}

const char *regression_level_name(enum regression_level level)
{
    static const char *const names[] = {"phase", "role", "task"};
    return names[level];
}

const char *regression_verdict_name(enum regression_verdict verdict)
{
    static const char *const names[] = {"not-slower", "slower", "too-few", "unlike"};
    return names[verdict];
}

const char *regression_test_name(enum regression_test test)
{
    static const char *const names[] = {NULL, "ranks", "margin"};
    return names[test];
}
