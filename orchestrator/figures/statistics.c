#include "figures/statistics.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/accelerate.h"

#include <math.h>
#include <string.h>

struct series {
    int64_t *durations;
    size_t count, room;
};

struct statistics {
    struct statistic *rows;
    struct series *series; /* of each row */
    size_t count;
};

struct statistics *statistics_new(void)
{
    return xcalloc(1, sizeof(struct statistics));
}

void statistics_free(struct statistics *statistics)
{
    if (!statistics)
        return;
    for (size_t i = 0; i < statistics->count; i++)
        free(statistics->series[i].durations);
    free(statistics->series);
    free(statistics->rows);
    free(statistics);
}

const char *statistics_accelerated(const struct history_step *step)
{
    return step->accelerated ? step->accelerated : accelerate_name(ACCELERATE_WARM);
}

bool statistics_alike(const struct statistic *a, const struct statistic *b)
{
    return a->fresh == b->fresh && text_is(a->target, b->target) && text_is(a->recipe, b->recipe) &&
           text_is(a->step, b->step) && text_is(a->transport, b->transport) &&
           text_is(a->ansible, b->ansible) && text_is(a->accelerated, b->accelerated) &&
           text_is(a->extra_digest, b->extra_digest);
}

static size_t row_for(struct statistics *statistics, const struct statistic *key)
{
    for (size_t i = 0; i < statistics->count; i++)
        if (statistics_alike(&statistics->rows[i], key))
            return i;
    size_t at = statistics->count++;
    statistics->rows = xreallocarray(statistics->rows, statistics->count, sizeof *statistics->rows);
    statistics->series = xreallocarray(statistics->series, statistics->count, sizeof *statistics->series);
    statistics->rows[at] = *key;
    statistics->series[at] = (struct series){0};
    return at;
}

/* Whether an earlier run of the chain had begun the step. */
static bool was_begun(const struct json *plan, const char *step)
{
    const struct json *begun = json_get(plan, "begun");
    for (size_t i = 0; i < json_count(begun); i++)
        if (text_is(json_string(json_at(begun, i), NULL), step))
            return true;
    return false;
}

void statistics_add(struct statistics *statistics, const struct history_run *run,
                    const struct history_step *steps, size_t count)
{
    if (run->partial)
        return;
    AUTO_JSON *plan = run->plan && run->parent_id ? json_parse(run->plan, strlen(run->plan), NULL) : NULL;
    for (size_t i = 0; i < count; i++) {
        if (!text_is(steps[i].outcome, "ok") || steps[i].duration_ns < 0 || was_begun(plan, steps[i].name))
            continue;
        struct statistic key = {.target = run->target,
                                .recipe = run->recipe,
                                .step = steps[i].name,
                                .transport = steps[i].transport,
                                .ansible = run->ansible,
                                .accelerated = statistics_accelerated(&steps[i]),
                                .extra_digest = run->extra_digest,
                                .fresh = run->fresh};
        size_t at = row_for(statistics, &key); /* may move the array */
        struct series *series = &statistics->series[at];
        if (series->count == series->room) {
            series->room = series->room ? series->room * 2 : 16;
            series->durations = xreallocarray(series->durations, series->room, sizeof *series->durations);
        }
        series->durations[series->count++] = steps[i].duration_ns;
    }
}

static int by_size(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static int64_t deviation_of(const int64_t *values, size_t count)
{
    double mean = 0, squares = 0;
    if (count < 2)
        return -1;
    for (size_t i = 0; i < count; i++)
        mean += (double)values[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += ((double)values[i] - mean) * ((double)values[i] - mean);
    return (int64_t)sqrt(squares / (double)(count - 1));
}

const struct statistic *statistics_result(struct statistics *statistics, size_t *count)
{
    for (size_t i = 0; i < statistics->count; i++) {
        struct statistic *row = &statistics->rows[i];
        const struct series *series = &statistics->series[i];
        int64_t *sorted = series->durations;
        size_t n = series->count;
        qsort(sorted, n, sizeof *sorted, by_size);
        row->n = n;
        row->min_ns = sorted[0];
        row->max_ns = sorted[n - 1];
        row->median_ns = n % 2 ? sorted[n / 2] : sorted[n / 2 - 1] + (sorted[n / 2] - sorted[n / 2 - 1]) / 2;
        row->deviation_ns = deviation_of(sorted, n);
        row->p95_ns = sorted[(n * 95 + 99) / 100 - 1];
    }
    *count = statistics->count;
    return statistics->rows;
}
