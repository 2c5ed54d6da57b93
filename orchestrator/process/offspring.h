/* Processes below this one: its children, theirs, and so on. What changed its environment carries no marker
 * any more, but where this process is a subreaper it cannot get away from it. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

/* In the environment of what is the run's and no step's, though it is below this
 * process: the holder of an agent. */
#define OFFSPRING_STAYS "TRIPHASE_AGENT=1"
/* Living descendants (no zombies), without `kept`, what is below those, and without guards, SSH masters and
 * agents of this program, which stay. Their number and, unless `pids` is NULL, a malloc'ed array of that many
 * (NULL when none). 0 where /proc cannot be read. */
int offspring_find(const pid_t *kept, int kept_count, pid_t **pids);
/* Whether the process is below this one now. */
bool offspring_is(pid_t pid);
