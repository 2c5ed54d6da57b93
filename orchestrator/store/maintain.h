/* Looking after the store: checking, pruning, exporting, merging. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "format/sql.h"
#include <stdint.h>

/* Reads all of it, and keeps no run that writes waiting meanwhile, also without a WAL
 * (sql_step_aside). `findings` gets a line for each fault (none: it is sound); `summary` is a
 * malloc'ed line of what is in it. */
int store_check(const char *path, struct words *findings, char **summary, struct error *err);

struct store_pruned {
    int64_t runs, machines, folders;
};
/* The newest time that runs made here know of (wall clock), 0 where there is none: what is pruned by is the
 * earlier of that and now, so that a clock which is ahead takes no history. */
int store_newest(const char *path, int64_t *out, struct error *err);
/* Removes finished runs that ended before `before_ns` (wall clock) with their folders below `state`,
 * machines removed before then that no run names, and folders of runs that have no row and were not
 * touched since. Never: the last 20 runs of a target, runs without an outcome, runs they resume, machines
 * that are there. Piece by piece, so that runs go on writing meanwhile; ERROR_BUSY while another does it. */
int store_prune(const char *path, const char *state, int64_t before_ns, struct store_pruned *out,
                struct error *err);

/* Closes the rows of runs without an outcome, as crashed, without a look at their processes: those of a
 * project that this store is a copy of. The store may be of an older version. */
int store_disown_runs(const char *path, struct error *err);

/* All rows of a finished run, piece by piece. */
int store_remove_run(struct sql *db, const char *id, struct error *err);

/* What a merge that broke off has left of a run which never came. Nothing shows it. */
int store_remove_halves(struct sql *db, struct error *err);

/* A compact copy (0600). `to` must not exist. */
int store_copy(struct sql *db, const char *to, struct error *err);
/* The same of the store as it is at one moment; a run that writes is not kept waiting, also without a WAL. */
int store_export(const char *path, const char *to, struct error *err);

struct store_merged {
    int64_t runs, machines; /* added */
    /* left out: runs that are here already, runs without an outcome, machines that are there (they
     * belong to the other project) */
    int64_t known, unfinished, present;
};
/* Adds the finished runs and removed machines of another store, also of an older version; makes the store
 * where there is none (its folder must exist). That file is not trusted: a copy of it is looked at whole
 * before anything is added, and no path of it is followed. Runs are added piece by piece, so that others
 * write meanwhile, and each is seen only when it is whole; where one cannot be, those before it are taken
 * away again. One that was killed is gone on with by the next. */
int store_merge(const char *path, const char *from, struct store_merged *out, struct error *err);
