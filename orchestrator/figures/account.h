/* One run as a report tells it: its rows, and what was looked at besides: whether the worker of an
 * unfinished run is alive, and what of its event files is not in the store yet. */
#pragma once
#include "figures/health.h"
#include "store/history.h"
#include "store/history_boot.h"
#include "store/history_confirm.h"
#include "store/history_paths.h"
#include "store/history_sums.h"
#include "store/history_tasks.h"
#include "store/history_told.h"
#include "store/history_where.h"

struct account {
    struct history_run *run;
    struct history_step *steps;
    size_t step_count;
    struct history_lost *lost;
    size_t lost_count;
    struct history_bad *bad; /* at most 20 of a step */
    size_t bad_count;
    struct history_path *paths; /* samples of phases over a tailnet */
    size_t path_count;
    struct history_boot *boot; /* stages of cloud-init */
    size_t boot_count;
    struct json *confirm;      /* history_confirm; NULL: none */
    struct history_told *told; /* what modules had to say */
    size_t told_count;
    struct history_health *health_samples;
    size_t health_sample_count;
    struct health_account health; /* made of them */
    bool dry_run;                 /* Ansible checked, and changed nothing */
    const char *outcome;          /* of the run: the row's, else "running" or "crashed" */
    bool guarded; /* crashed, and its guard (or another process that took over its lock) is still at work */
    int64_t unread_bytes;         /* of its event files, for a run without an outcome */
    int64_t phases_ns, stages_ns; /* sums of ended steps */
    /* of a resume: the runs it goes on with, the first one first; as far as the store has them */
    struct account_link {
        char *run, *kind, *outcome; /* outcome NULL: none yet */
        int64_t duration_ns;        /* -1: none */
        int64_t phases_ns, stages_ns;
    } * chain;
    size_t chain_count;
};

/* `state`: the folder .triphase, for lock and event files. Takes the run over, also when it fails. */
int account_load(struct sql *db, const char *state, struct history_run *run, struct account *out,
                 struct error *err);
void account_clear(struct account *account);
/* The step of that number; NULL: there is none. */
const struct history_step *account_step(const struct account *account, int seq);
/* The outcome of a step as the report says it: the row's, else "running" or "crashed" as the run is. */
const char *account_step_outcome(const struct account *account, const struct history_step *step);
/* Whether the worker of an unfinished run is alive; `guarded` (may be NULL) as above. */
bool account_is_running(const char *state, const struct history_run *run, bool *guarded);
