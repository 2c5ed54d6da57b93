/* How long a step takes over several runs. What differs in target, recipe, step, transport, fresh, Ansible,
 * acceleration or the digest of -e arguments is never mixed; only steps that ended ok, of runs that are not
 * partial, count; and of a resume only steps that it was the first to begin: what was broken off and gone on
 * with is no measure of the whole. */
#pragma once
#include "store/history.h"

struct statistic {
    /* borrowed from the runs and steps that were added; may be NULL */
    const char *target, *recipe, *step, *transport, *ansible, *extra_digest;
    const char *accelerated; /* "warm" too where nothing was recorded, or the step is a stage */
    bool fresh;
    size_t n;
    int64_t min_ns, median_ns, p95_ns /* nearest rank */, max_ns,
        deviation_ns /* standard deviation of the sample; -1 of one value */;
};

/* What a step counts as; never NULL. Until it was recorded all phases were `warm`. */
const char *statistics_accelerated(const struct history_step *step);

struct statistics;
struct statistics *statistics_new(void);
void statistics_free(struct statistics *statistics);
/* Runs and steps must outlive the statistics. */
void statistics_add(struct statistics *statistics, const struct history_run *run,
                    const struct history_step *steps, size_t count);
/* Owned by the statistics; in the order in which they were first met. */
const struct statistic *statistics_result(struct statistics *statistics, size_t *count);
/* Whether figures of both may be set against each other: all but n and the times are the same. */
bool statistics_alike(const struct statistic *a, const struct statistic *b);
