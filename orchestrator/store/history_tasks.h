/* What the store holds below steps: unreachable hosts, bad tasks, and events.
 * Read-only; the caller frees. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "format/sql.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct history_lost { /* one UNREACHABLE */
    int64_t at_ns;
    int step; /* seq; 0: of the run */
    char *host, *task, *cause, *cause_source, *message, *transport;
    bool ignored;
};
int history_lost(struct sql *db, const char *run, struct history_lost **out, size_t *count,
                 struct error *err);
void history_lost_free(struct history_lost *lost, size_t count);

struct history_bad { /* a failed or unreachable task */
    int step;
    char *host, *role, *task, *path, *message;
    bool unreachable, ignored, rescued;
    int64_t started_ns, duration_ns;
};
/* In order, at most `limit` of each step. */
int history_bad(struct sql *db, const char *run, int limit, struct history_bad **out, size_t *count,
                struct error *err);
void history_bad_free(struct history_bad *bad, size_t count);

/* Adds what plays, roles, tasks and hosts of the run's rows are called, each once. */
int history_names(struct sql *db, const char *run, struct words *out, struct error *err);

struct history_event {
    int64_t number, at_ns;
    int step;                        /* 0: of the run */
    char *step_name, *kind, *detail; /* detail: JSON text or NULL */
};
/* Events of a run with a number above `after`, in order. */
int history_events(struct sql *db, const char *run, int64_t after, struct history_event **out, size_t *count,
                   struct error *err);
void history_events_free(struct history_event *events, size_t count);
