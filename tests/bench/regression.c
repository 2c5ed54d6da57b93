/* How often report --regress is wrong, and what it finds: comparisons of simulated runs of one recipe.
 *   regression COMPARISONS SEED
 * A recipe has 3 phases, 12 roles and 40 tasks of 0.1 to 20 s. A task's time is lognormal around its median
 * (sigma 0.08), once in 50 it takes a second longer (a whole one, or one drawn from an exponential
 * distribution), and a batch (the runs of one cycle; each single run is one of its own) is faster or slower
 * as a whole by a normal share. Prints a table, tab-separated: noise, sizes, false alarms in A/A comparisons,
 * how often a task made slower by half of its time and one second was named, and its phase. */
#include "figures/regression.h"
#include "base/memory.h"
#include "base/moment.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

enum { PHASES = 3, ROLES = 12, TASKS = 40, ITEMS = PHASES + ROLES + TASKS, SLOWED = 20 };

struct noise {
    const char *name;
    double day; /* standard deviation of a batch's speed */
    bool exponential;
};

struct sizes {
    int before, after;
    bool batches; /* before: cycles as large as after; else single runs */
};

static uint64_t state;

/* xorshift64*: the same numbers everywhere. */
static double uniform(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return ((double)((state * UINT64_C(2685821657736338717)) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
    return sqrt(-2 * log(uniform())) * cos(2 * acos(-1) * uniform());
}

static double median_of_task(int task)
{
    return 0.1 * pow(200, (double)((task * 7) % TASKS) / (TASKS - 1));
}

/* One run's times into column `at` of each item's values. */
static void simulate(const struct noise *noise, double speed, double slowed_by, int64_t *const *values,
                     size_t at)
{
    double sums[PHASES + ROLES] = {0};
    for (int task = 0; task < TASKS; task++) {
        double median = median_of_task(task);
        double time = (median + (task == SLOWED ? slowed_by : 0)) * exp(0.08 * normal()) * speed;
        if (uniform() < 0.02)
            time += noise->exponential ? -log(uniform()) : 1;
        values[PHASES + ROLES + task][at] = (int64_t)(time * (double)NS_PER_S);
        sums[task * PHASES / TASKS] += time;
        sums[PHASES + task * ROLES / TASKS] += time;
    }
    for (int i = 0; i < PHASES + ROLES; i++)
        values[i][at] =
            (int64_t)((sums[i] + (i < PHASES ? 1.2 * exp(0.05 * normal()) : 0)) * (double)NS_PER_S);
}

struct found {
    bool any, task, phase, judged;
};

static struct found compare(const struct noise *noise, const struct sizes *sizes, double slowed_by)
{
    int64_t *before[ITEMS], *after[ITEMS];
    struct regression rows[ITEMS];
    double speed = 1;
    for (int i = 0; i < ITEMS; i++) {
        before[i] = xcalloc((size_t)sizes->before, sizeof *before[i]);
        after[i] = xcalloc((size_t)sizes->after, sizeof *after[i]);
    }
    for (int run = 0; run < sizes->before; run++) {
        if (!sizes->batches || run % sizes->after == 0)
            speed = exp(noise->day * normal());
        simulate(noise, speed, 0, before, (size_t)run);
    }
    speed = exp(noise->day * normal());
    for (int run = 0; run < sizes->after; run++)
        simulate(noise, speed, slowed_by, after, (size_t)run);
    for (int i = 0; i < ITEMS; i++)
        rows[i] = (struct regression){.level = i < PHASES           ? REGRESSION_PHASE
                                               : i < PHASES + ROLES ? REGRESSION_ROLE
                                                                    : REGRESSION_TASK,
                                      .before = before[i],
                                      .after = after[i],
                                      .before_count = (size_t)sizes->before,
                                      .after_count = (size_t)sizes->after};
    regression_judge(rows, ITEMS);
    struct found found = {.judged = true};
    for (int i = 0; i < ITEMS; i++) {
        found.any |= rows[i].verdict == REGRESSION_SLOWER;
        found.judged &= rows[i].verdict != REGRESSION_TOO_FEW;
        free(before[i]);
        free(after[i]);
    }
    found.task = rows[PHASES + ROLES + SLOWED].verdict == REGRESSION_SLOWER;
    found.phase = rows[SLOWED * PHASES / TASKS].verdict == REGRESSION_SLOWER;
    return found;
}

int main(int argc, char **argv)
{
    static const struct noise noises[] = {
        {"1 s in 50, batches alike", 0, false},
        {"exponential 1 s in 50, batches alike", 0, true},
        {"1 s in 50, batches differ by 3 %", 0.03, false},
        {"1 s in 50, batches differ by 6 %", 0.06, false},
    };
    static const struct sizes all_sizes[] = {
        {10, 1, false}, {20, 1, false}, {40, 1, false}, {10, 10, true}, {30, 10, true}, {6, 6, true},
    };
    int comparisons = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 2000;
    state = argc > 2 ? strtoull(argv[2], NULL, 10) | 1 : 88172645463325252;
    for (size_t n = 0; n < COUNT_OF(noises); n++)
        for (size_t s = 0; s < COUNT_OF(all_sizes); s++) {
            int alarms = 0, tasks = 0, phases = 0, judged = 0;
            double more = median_of_task(SLOWED) / 2 + 1;
            for (int i = 0; i < comparisons; i++) {
                struct found same = compare(&noises[n], &all_sizes[s], 0);
                struct found slower = compare(&noises[n], &all_sizes[s], more);
                alarms += same.any;
                judged += same.judged;
                tasks += slower.task;
                phases += slower.phase;
            }
            double all = comparisons;
            printf("%s\t%d%s\t%d\t%.4f\t%.3f\t%.3f\t%.3f\n", noises[n].name, all_sizes[s].before,
                   all_sizes[s].batches ? " (cycles)" : "", all_sizes[s].after, alarms / all, tasks / all,
                   phases / all, judged / all);
        }
    return 0;
}
