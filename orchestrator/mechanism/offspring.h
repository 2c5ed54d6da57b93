/* Processes below this one: its children, theirs, and so on. What changed its environment carries no marker any more, but where this process is a subreaper it
 * cannot get away from it. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

/* Living descendants (no zombies), without `kept`, what is below those, and without guards and SSH masters of this program, which stay. Their number and,
 * unless `pids` is NULL, a malloc'ed array of that many (NULL when none). 0 where /proc cannot be read. */
int offspring_find(const pid_t *kept, int kept_count, pid_t **pids);
/* Whether the process is below this one now. */
bool offspring_is(pid_t pid);
