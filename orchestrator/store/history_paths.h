/* The samples of a tailnet's path that a run's phases kept (`sample` of kind path). Read-only; the caller
 * frees. What somebody else wrote there reads as absent. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "format/sql.h"
#include <stddef.h>
#include <stdint.h>

struct history_path {
    int step; /* seq */
    int64_t at_ns;
    char *path;             /* as of tailnet_path_name; NULL: the daemon said nothing of the peer */
    char *via;              /* ip:port, DERP code, address of a peer relay; NULL: unknown */
    char *daemon;           /* its state; NULL: it gave no answer */
    char *error;            /* why not; may be NULL */
    struct words health;    /* its warnings */
    int64_t received, sent; /* bytes of the peer since the daemon began; -1: unknown */
};
/* Of a run, in order. */
int history_paths(struct sql *db, const char *run, struct history_path **out, size_t *count,
                  struct error *err);
void history_paths_free(struct history_path *paths, size_t count);
