/* Earlier steps of one kind, and the tasks of each. Read-only; the caller frees. */
#pragma once
#include "store/history.h"

struct history_alike {
    int64_t number; /* for history_alike_tasks */
    int64_t duration_ns, tasks;
    int64_t behind_ns; /* how long its run went on; -1: it is of another kind or other phases, or not ok */
};
/* The newest `most` steps that ended ok and are alike the step in name, kind, transport and acceleration, and
 * in the target, recipe, provider, Ansible, arguments (those of -e by their digest), whether all was asked
 * for, whether Ansible only checked and `fresh` of their runs; no resume's. Attempts behind the first one are
 * set beside one that is none either. The target's last 200 runs are looked at, without this one. */
int history_alike(struct sql *db, const struct history_run *run, const struct history_step *step, bool fresh,
                  int most, struct history_alike **out, size_t *count, struct error *err);

struct history_alike_task {
    const char *host, *role, *task; /* borrowed for the call */
    int status;       /* as its row has it: 0 ok, 1 changed, 2 skipped, 3 failed, 4 unreachable */
    int64_t ended_ns; /* from the begin of its step, by the wall clock */
};
/* In the order in which they ended, the first `most` of them. */
int history_alike_tasks(struct sql *db, int64_t number, int64_t most,
                        void (*tell)(void *, const struct history_alike_task *), void *context,
                        struct error *err);
