/* Looking after the store: checking, pruning, exporting, merging. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include <stdint.h>

/* Reads all of it. `findings` gets a line for each fault (none: it is sound); `summary` is a malloc'ed
 * line of what is in it. */
int store_check(const char *path, struct words *findings, char **summary, struct error *err);

struct store_pruned {
    int64_t runs, machines, folders;
};
/* Removes finished runs that ended before `before_ns` (wall clock) with their folders below `state`,
 * machines removed before then that no run names, and folders of runs that have no row and were not
 * touched since. Never: runs without an outcome, runs they resume, machines that are there. */
int store_prune(const char *path, const char *state, int64_t before_ns, struct store_pruned *out,
                struct error *err);

/* A compact copy (0600). `to` must not exist. */
int store_export(const char *path, const char *to, struct error *err);

struct store_merged {
    int64_t runs, machines; /* added */
    int64_t known, unfinished,
        present; /* left out: runs that are here already, runs without an outcome, machines that are there (they belong to the other project) */
};
/* Adds the finished runs and removed machines of another store of this version. That file is not trusted:
 * whatever it holds, rows are added whole or none is, and no path of it is followed. */
int store_merge(const char *path, const char *from, struct store_merged *out, struct error *err);
