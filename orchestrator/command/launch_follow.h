/* The jobs of a command, as many at once as are wanted, from the first one's begin to the last one's end; or,
 * detached, to where all are begun. */
#pragma once
#include "command/launch_job.h"

/* Codes and whether it was cancelled are in the jobs and `all` then. */
int launch_follow(struct command_run *all, struct error *err);
