/* Reading the store, for reports, status and reconciling. Read-only connections; every row that comes out
 * is a plain struct the caller frees. */
#pragma once
#include "base/error.h"
#include "event/machine.h"
#include "format/json.h"
#include "format/sql.h"

/* Opens it read-only and checks the version. One that is absent, or empty still: ERROR_USAGE "no run yet". */
int history_open(const char *path, struct sql **out, struct error *err);
/* The same where there may be none yet: *out is NULL then. A store that cannot be seen
 * is an error, never none. */
int history_find(const char *path, struct sql **out, struct error *err);
/* The machine of the target that is there now (removed_ns 0), newest first; *out NULL when there is none. */
int history_machine(struct sql *db, const char *target, struct machine **out, struct error *err);
/* The same for whoever has no store open: *out NULL too where there is no store, or where
 * it was never made whole. */
int history_made(const char *store, const char *target, struct machine **out, struct error *err);
int history_machine_by_id(struct sql *db, const char *id, struct machine **out, struct error *err);
/* Targets that have a machine or a run, sorted. */
int history_targets(struct sql *db, struct words *out, struct error *err);

/* Runs, the newest first: in the order in which they came into this store, for a wall clock may have been
 * wrong for a while. What another store's merge brought is older than all that was made here, and never the
 * last run of this machine. */
#define HISTORY_NEWEST_FIRST "run.merged, run.number DESC"

struct history_run {
    char *id, *kind, *target, *recipe, *provider, *ansible, *outcome /* NULL: running or crashed */, *message,
        *plan, *machine_id, *extra_digest, *boot_id, *node, *group_id, *parent_id,
        *verdict /* NULL: not recorded */, *seen;
    bool partial, fresh, merged /* made elsewhere, and brought by a merge */;
    int exit_code; /* -1 while there is none */
    int64_t started_ns, duration_ns /* -1 */, pid, pid_start;
};
struct history_step {
    int seq, attempt, exit_code, signal, survivors_here, survivors_host;
    char *kind, *name, *transport, *outcome /* NULL: running or crashed */, *cause, *message, *scope, *log,
        *events, *host_evidence, *evidence, *handlers_owed, *verdict /* NULL: not recorded */, *seen,
        *accelerated /* NULL: not recorded, or no phase */, *accelerated_why;
    int64_t started_ns, duration_ns /* -1 */, deadline_ns, ok, changed, failed, skipped, unreachable, ignored,
        rescued, event_bytes, started_monotonic_ns;
};
/* `id`: whole or the last 8 hex (ambiguous: an error naming them); NULL: the last run (of `target` where
 * given). *out NULL where there is none and id is NULL. */
int history_run(struct sql *db, const char *id, const char *target, struct history_run **out,
                struct error *err);
/* The last run that was made here, of `target` where given: what commands that act go by. *out
 * NULL where there is none. */
int history_last_here(struct sql *db, const char *target, struct history_run **out, struct error *err);
/* The last `limit` runs, newest first (of the target where given). NULL-terminated malloc'ed array. */
int history_last_runs(struct sql *db, const char *target, int limit, struct history_run ***out,
                      struct error *err);
/* Runs without an outcome (running or crashed), of the target where given. NULL-terminated malloc'ed
 * array. */
int history_open_runs(struct sql *db, const char *target, struct history_run ***out, struct error *err);
/* Runs of a cycle in the order in which they began, without the first `skip`.
 * NULL-terminated malloc'ed array. */
int history_group_runs(struct sql *db, const char *group, size_t skip, struct history_run ***out,
                       struct error *err);
/* A cycle's whole id from that or its last 8 hex digits, malloc'ed; NULL: of the newest (of `target` where
 * given). ERROR_USAGE where there is none, or several. */
int history_group(struct sql *db, const char *id, const char *target, char **out, struct error *err);
/* Ids of runs (ends with NULL) as a JSON list, for json_each of a statement. malloc'ed. */
char *history_ids(const char *const *runs);
/* Steps of a run in order. */
int history_steps(struct sql *db, const char *run, struct history_step **out, size_t *count,
                  struct error *err);
/* Phases on this machine after which nobody could look at the host yet (outcome_may_leave, survivors_host
 * unknown): of the target's last 50 runs, the newest first, at most `most`. `run` in each is its run's id. */
struct history_unlooked {
    char *run, *evidence; /* the transport's evidence as JSON text; may be NULL */
    int seq;
    int64_t started_monotonic_ns;
};
int history_unlooked(struct sql *db, const struct machine *machine, int most, struct history_unlooked **out,
                     size_t *count, struct error *err);
void history_unlooked_free(struct history_unlooked *list, size_t count);
void history_run_free(struct history_run *run);
void history_runs_free(struct history_run **runs); /* a NULL-terminated array and all in it */
void history_steps_free(struct history_step *steps, size_t count);
