/* The begin of a job's run: the target's lock, what dead runs left, everything looked at again under
 * the lock, and the worker. */
#pragma once
#include "command/launch_job.h"

/* Gives the job its run and its worker, or makes it `over` where there is nothing to do. */
int launch_begin(struct command_run *all, struct job *job, struct error *err);
