#include "command/launch_begin.h"

#include "ansible/mitogen.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/exit_code.h"
#include "command/launch_look.h"
#include "command/put_in_order.h"
#include "control/settle.h"
#include "run/async_directory.h"
#include "run/intent.h"
#include "run/worker.h"
#include "store/history.h"
#include "view/help.h"

/* What the run's row says that it set out to do. malloc'ed. */
static char *plan_text(const struct command_run *all, const struct job *job)
{
    const struct launch *launch = all->launch;
    const struct recipe *recipe =
        job->target && launch->project ? project_recipe(launch->project, job->target->recipe) : NULL;
    struct intent_request ask = {.does = launch->kind,
                                 .target = job->target,
                                 .recipe = recipe,
                                 .asked = launch->phases,
                                 .arguments = all->arguments.extra_digest ? NULL : launch->arguments,
                                 .partial = all->arguments.partial || launch->phases[0],
                                 .dry_run = all->arguments.check,
                                 .check_idempotent = launch->check_idempotent,
                                 .keep_state = launch->keep_state,
                                 .no_teardown = launch->no_teardown};
    AUTO_JSON *plan = launch->resume ? resume_plan(launch->resume, job->target, recipe) : intent_new(&ask);
    return json_compact(plan);
}

int launch_begin(struct command_run *all, struct job *job, struct error *err)
{
    const struct launch *launch = all->launch;
    AUTO_CLOSE int lock = -1;
    id_make(job->run);
    if (settle_lock(all->state, job->target_name, job->run, &lock, err) < 0)
        return -1;
    if (put_in_order_locked(all->state, job->target_name, err) < 0)
        return -1;
    /* Under the lock it is true: another command may have made or removed it since it was looked at. */
    AUTO_SQL *db = NULL;
    struct machine *machine = NULL;
    if (history_open(all->store, &db, err) < 0 || history_machine(db, job->target_name, &machine, err) < 0)
        return -1;
    machine_free(job->machine);
    job->machine = machine;
    if (machine && launch->expired_ns && (!machine->expires_ns || machine->expires_ns > launch->expired_ns)) {
        help_note("%s: it is not past its time any more, and is left alone", job->target_name);
        job->over = true;
        return 0;
    }
    if (launch_check_resumed(db, launch, job, err) < 0 || launch_check_peers(all, db, job, err) < 0)
        return -1;
    sql_cleanup(&db);
    db = NULL;
    if (!machine && launch_needs_made(launch))
        return launch_say_not_made(job, err);
    if (!machine && !text_is(launch_does(launch), "create")) {
        help_note("%s: nothing is there", job->target_name);
        job->over = true;
        return 0;
    }
    if (machine && launch_check_made(launch, job, err) < 0)
        return -1;
    const struct resume *resume = launch->resume;
    AUTO_FREE char *plan = plan_text(all, job);
    AUTO_WORDS no_mitogen = WORDS_INIT;
    if (launch->project && job->target)
        mitogen_refusals(launch->project, job->target, &no_mitogen);
    struct runner_request request = {.project = launch->project,
                                     .target = job->target,
                                     .target_name = job->target_name,
                                     .project_name = launch->project ? launch->project->name
                                                     : machine       ? machine->project
                                                                     : "?",
                                     .project_directory = launch->project_directory,
                                     .state = all->state,
                                     .kind = launch->kind,
                                     .does = launch_does(launch),
                                     .run_id = job->run,
                                     .parent_id = resume ? resume->parent : NULL,
                                     .root_run = resume ? resume->root : job->run,
                                     .chain = resume ? &resume->chain : NULL,
                                     .done = resume ? &resume->done : NULL,
                                     .owed_at = resume ? resume->owed_at : NULL,
                                     .owed = resume ? resume->owed : NULL,
                                     .fresh = resume && resume->fresh,
                                     .plan = plan,
                                     .group_id = launch->group_id,
                                     .machine = machine,
                                     .phases = launch->phases,
                                     .arguments = launch->arguments,
                                     .sets = launch->sets,
                                     .ansible_version = job->ansible_version,
                                     .extra_digest = all->arguments.extra_digest,
                                     .async_fixed = launch->project && job->target &&
                                                    async_directory_is_fixed(launch->project, job->target),
                                     .no_mitogen = &no_mitogen,
                                     .partial = all->arguments.partial || launch->phases[0],
                                     .dry_run = all->arguments.check,
                                     .check_idempotent = launch->check_idempotent,
                                     .keep_state = launch->keep_state,
                                     .no_teardown = launch->no_teardown,
                                     .exit_code = exit_code_of_outcome};
    return worker_start(&request, lock, &job->worker, &job->last_words, err);
}
