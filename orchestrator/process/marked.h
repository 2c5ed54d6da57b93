/* Processes of this machine that carry a marker "NAME=VALUE": found by looking through /proc, for where there
 * is no cgroup. Looked at: processes of the own user (of everyone for root); never the caller itself, never
 * process 1; and a marker without a name or a value matches nothing. A sandbox's processes are this machine's
 * too, but what runs there belongs to that host and matches nothing: who looks at the host (host/sweep.sh)
 * knows what is meant to stay. Small: no allocation grows with the size of an environment. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <sys/types.h>

/* Whether the process holds exactly this entry in the environment it was started with; or, when the marker is
 * TRIPHASE_RUN=<uuid>, is an SSH master of that run: its title overwrites its environment, but names the
 * control path, "ssh: …/triphase-<uid>/<last 12 hex><letter>/… [mux]". False when it cannot be looked at. */
bool marked_with(pid_t pid, const char *marker);
/* The same for an entry "NAME=" of any value. */
bool marked_with_name(pid_t pid, const char *name);
/* All of them: their number and, unless `pids` is NULL, a malloc'ed array of that many (NULL when none). -1
 * when /proc cannot be read. */
int marked_find(const char *marker, pid_t **pids, struct error *err);
