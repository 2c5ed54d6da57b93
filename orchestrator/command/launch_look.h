/* What can be known of a job before anything is made or begun. Errors say what to do; what refuses a target
 * is for the caller to say. */
#pragma once
#include "command/launch_job.h"
#include "format/sql.h"

/* A dead run's processes may still work on the host: they end before even a plan is made. One that lives
 * is left to launch_begin(). */
int launch_end_the_dead(struct command_run *all, struct job *job, struct error *err);
/* Everything that can be known without making anything. Fills in the job's machine and its Ansible's version;
 * says the plan's warnings. */
int launch_look(struct command_run *all, struct job *job, struct error *err);
int launch_say_not_made(const struct job *job, struct error *err);
/* A resume goes on with what the last run of the target left, on the machine that it had. */
int launch_check_resumed(struct sql *db, const struct launch *launch, const struct job *job,
                         struct error *err);
/* No phase begins without its peers, so nothing is made for a target that would only stop there. */
int launch_check_peers(const struct command_run *all, struct sql *db, const struct job *job,
                       struct error *err);
/* Nothing acts on a host that the files do not name; a destroy goes by what was
 * made, and so does its target. */
int launch_check_made(const struct launch *launch, struct job *job, struct error *err);
