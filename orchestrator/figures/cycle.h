/* A cycle (rounds of create and destroy of one target) as its rows in the store tell it: they carry one
 * group_id. Nothing is kept about a cycle besides. */
#pragma once
#include "figures/account.h"
#include "figures/comparison.h"
#include "figures/statistics.h"

struct cycle_round {
    size_t number;                  /* from 1; 0: the destroy of what was there before */
    struct account create, destroy; /* `run` NULL: not done */
    const char *outcome; /* of what went wrong first, else "ok"; "leftover" when anything was left */
    int exit_code;       /* of that run; 0; -1 while it has none */
    int64_t total_ns;    /* of both runs */
    size_t unreachable, watchdogs, retries, recovered;
    int leftovers; /* what was counted after the destroy; -1: nobody looked */
};

struct cycle {
    char *group, *target;
    struct cycle_round *rounds;
    size_t count, runs;
    struct words phases; /* names, in the order in which they were met */
};

/* `skip`: runs of rounds before, which are left out; `rounds` of them were begun, so that numbers go on. */
int cycle_load(struct sql *db, const char *state, const char *group, size_t skip, size_t rounds,
               struct cycle *out, struct error *err);
void cycle_clear(struct cycle *cycle);
/* What a step of this name took in the round, all attempts; -1: there was none. */
int64_t cycle_time(const struct cycle_round *round, const char *step);
/* Kept in the store as an event of the destroy, "leftovers" {"count", "left"}: so a
 * report needs nothing else. */
int cycle_store_leftovers(const char *store, const char *run, const struct words *left, struct error *err);

/* Per step over all rounds, and against the rounds of earlier cycles that are alike. */
struct cycle_step {
    struct statistic now;
    size_t earlier_n;
    int64_t earlier_median_ns;
    const struct regression *judged; /* phases; NULL: not compared */
};
struct cycle_summary {
    struct comparison trend;
    struct statistics *statistics, *earlier; /* what the steps borrow from, with the runs of earlier ones */
    struct history_run **earlier_runs;
    struct history_step **earlier_steps;
    size_t *earlier_counts;
    size_t earlier_count;
    struct cycle_step *steps;
    size_t step_count;
    size_t ok, failed, unreachable, watchdogs, retries, recovered, leftovers;
};
/* The cycle must outlive it. */
int cycle_sum_up(struct sql *db, const struct cycle *cycle, struct cycle_summary *out, struct error *err);
void cycle_summary_clear(struct cycle_summary *summary);
