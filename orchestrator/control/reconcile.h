/* Bringing the store and the machine in line after a crash. Acting commands do it under the target's lock,
 * before anything else: what belonged to a dead run is found and ended (by cgroup path, then by environment,
 * then by control path), what it still wrote is read, its rows become `crashed`. Rows of another machine are
 * said, never touched; after another boot there is nothing left to end. */
#pragma once
#include "base/error.h"
#include "base/words.h"

/* `exit_code` is what a run's row gets that died; `said` gets a line per run that was
 * reconciled or left alone. */
int reconcile_target(const char *state, const char *target, int exit_code, struct words *said,
                     struct error *err);

/* For reading commands: what is left of an open run on this machine, without touching it. */
struct reconcile_look {
    bool alive;     /* its worker lives: it runs */
    bool elsewhere; /* another machine's, or another boot's */
    int processes;  /* of it that still run though the worker is dead; 0 while it lives */
};
struct history_run;
struct reconcile_look reconcile_look(const struct history_run *run);
