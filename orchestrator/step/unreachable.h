/* Rows of the ledger of UNREACHABLE that a step adds something to: Ansible's own, whose message may be empty,
 * is explained by what the connection's ssh master wrote or by its having been killed; and the one that
 * Ansible was not let come to, since the path was seen to be dead. */
#pragma once
#include "event/sink.h"
#include "transport/watch.h"
#include <sys/types.h>

/* What the shared ssh connection says in one step. */
struct unreachable_witness {
    /* borrowed; NULL: none. The host that its connection leads to, as inventories call it */
    const char *master_log, *host;
    off_t from; /* its size when the step began: what stands before it is of others */
};

struct unreachable_witness unreachable_witness(const char *master_log, const char *host);
/* Stores an UNREACHABLE of Ansible's, with cause and message of the witness where it is of its host and its
 * own are vague. `meant`: the host that could not be reached, which is another than the row's where the task
 * was delegated. `count`: how many there were in the step; a step with very many has them stored as they are.
 * `watch` (may be NULL) tells of a master that is gone. The row is the caller's, and changed. */
void unreachable_put(struct sink *sink, struct event *row, const struct unreachable_witness *witness,
                     const char *meant, int64_t count, const struct transport_watch *watch);

/* A path that was found dead under a step; `words` say how. All borrowed, all but the ids may be NULL. */
struct unreachable_path {
    const char *run;
    int step;
    const char *host, *task, *transport, *words;
};

void unreachable_put_path(struct sink *sink, const struct unreachable_path *path);
