/* Where each second of a phase went, by its task rows. Read-only; the caller clears.
 *
 * Every moment of a phase's step counts once: before its first task it is start-up, behind the last one the
 * end; where tasks ran, facts go before tasks on hosts, and those before what Ansible does by itself
 * (`controller`: set_fact, debug, include_tasks …, and what was skipped); where none did, it is between. */
#pragma once
#include "base/error.h"
#include "format/sql.h"
#include <stddef.h>
#include <stdint.h>

enum where { WHERE_START, WHERE_FACTS, WHERE_HOST, WHERE_CONTROLLER, WHERE_BETWEEN, WHERE_END, WHERE_COUNT };

struct history_where {
    char *phase; /* NULL: all of them */
    int64_t n;   /* steps: attempts count each */
    int64_t whole_ns, ns[WHERE_COUNT];
    int64_t tasks[WHERE_COUNT]; /* of facts, host and controller */
};
/* Of the phases of the runs (ids), in the order in which they ran first; the last row is the sum of all.
 * None where no phase has ended. */
int history_where(struct sql *db, const char *const *runs, struct history_where **out, size_t *count,
                  struct error *err);
void history_where_free(struct history_where *rows, size_t count);
