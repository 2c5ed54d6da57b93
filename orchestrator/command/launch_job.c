#include "command/launch_job.h"

#include "base/text.h"
#include "command/exit_code.h"
#include "view/help.h"

const char *launch_does(const struct launch *launch)
{
    return launch->resume ? launch->resume->does : launch->kind;
}

bool launch_needs_made(const struct launch *launch)
{
    return text_is(launch_does(launch), "run") || text_is(launch_does(launch), "drift");
}

int launch_problem(const char *target, const struct error *err)
{
    help_problem("%s: %s", target, error_text(err));
    return exit_code_of(err);
}

bool launch_is_made(const struct machine *machine)
{
    return machine && machine->made_ns;
}

bool launch_to_come(const struct command_run *all, const char *target)
{
    for (size_t i = 0; i < all->count; i++)
        if (text_is(all->jobs[i].target_name, target))
            return !all->jobs[i].over && !launch_is_made(all->jobs[i].machine);
    return false;
}

bool launch_waits_for_peers(const struct command_run *all, const struct job *job)
{
    for (size_t i = 0; job->target && i < job->target->peers.count; i++)
        if (launch_to_come(all, job->target->peers.items[i]))
            return true;
    return false;
}

struct job *launch_next(const struct command_run *all)
{
    struct job *first = NULL;
    for (size_t i = 0; i < all->count; i++) {
        struct job *job = &all->jobs[i];
        if (job->started || job->over)
            continue;
        if (!launch_waits_for_peers(all, job))
            return job;
        if (!first)
            first = job;
    }
    return all->running ? NULL : first;
}
