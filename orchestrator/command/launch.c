#include "command/launch.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "command/exit_code.h"
#include "command/launch_follow.h"
#include "command/launch_look.h"
#include "command/put_in_order.h"
#include "config/layout.h"
#include "preflight/linger.h"
#include "run/worker.h"
#include "store/history.h"
#include "store/maintain.h"
#include "store/store.h"
#include "view/help.h"

#include <unistd.h>

/* A destroy acts on what was made: a target that the files no longer name is destroyed all the same, but one
 * that was never there is a slip. */
static bool was_known(const struct command_run *all, const char *target)
{
    AUTO_SQL *db = NULL;
    AUTO_WORDS names = WORDS_INIT;
    return history_open(all->store, &db, NULL) == 0 && history_targets(db, &names, NULL) == 0 &&
           words_have(&names, target);
}

static int find_target(struct command_run *all, struct job *job, struct error *err)
{
    const struct project *project = all->launch->project;
    AUTO_ERROR why = ERROR_INIT;
    job->target = project ? project_target(project, job->target_name, &why) : NULL;
    if (job->target || (text_is(launch_does(all->launch), "destroy") && was_known(all, job->target_name)))
        return 0;
    if (!project)
        return error_set(err, ERROR_USAGE, "nothing was ever made of a target '%s'", job->target_name);
    return error_move(err, &why);
}

static int prepare(struct command_run *all, struct error *err)
{
    const struct launch *launch = all->launch;
    all->state = layout_state(launch->project_directory);
    all->store = layout_store(all->state);
    if (launch->arguments && launch->arguments[0] &&
        ansible_arguments_check(launch->arguments, &all->arguments, err) < 0)
        return -1;
    if (layout_make(all->state, err) < 0 || put_in_order_project(launch->project_directory, err) < 0 ||
        store_prepare(all->store, err) < 0 || store_newest(all->store, &all->known_ns, err) < 0)
        return -1;
    for (const char *const *name = launch->targets; *name; name++) {
        all->jobs = xreallocarray(all->jobs, all->count + 1, sizeof *all->jobs);
        struct job *job = &all->jobs[all->count++];
        *job = (struct job){.target_name = *name, .worker = CHILD_INIT};
        if (find_target(all, job, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < all->count; i++)
        all->jobs[i].all = all;
    return 0;
}

/* Old runs and their logs go when the project says so; that it could not be done now fails nobody's run. */
static void prune(const struct command_run *all)
{
    struct store_pruned pruned = {0};
    AUTO_ERROR err = ERROR_INIT;
    int64_t now = moment_wall(), from = all->known_ns < now ? all->known_ns : now;
    if (all->launch->project && all->state &&
        store_prune(all->store, all->state, from - all->launch->project->keep_ns, &pruned, &err) < 0 &&
        err.kind != ERROR_BUSY)
        help_note("warning: old runs could not be pruned: %s", error_text(&err));
}

static void warn_of_logout(void)
{
    AUTO_FREE char *warning = linger_warning(geteuid(), "");
    if (warning)
        help_note("warning: %s", warning);
}

bool launch_may_detach(size_t targets, int jobs)
{
    if (targets <= (size_t)jobs)
        return true;
    help_problem("with --detach nobody stays to begin later targets: --jobs %zu begins all at once, or "
                 "detach one after"
                 " the other",
                 targets);
    return false;
}

int launch(const struct launch *launch)
{
    struct command_run all = {.launch = launch};
    AUTO_ERROR err = ERROR_INIT;
    int code = EXIT_OK;
    if (prepare(&all, &err) < 0) {
        help_problem("%s", error_text(&err));
        code = exit_code_of(&err);
    }
    for (size_t i = 0; code == EXIT_OK && i < all.count; i++) {
        AUTO_ERROR why = ERROR_INIT;
        if (launch_end_the_dead(&all, &all.jobs[i], &why) < 0 || launch_look(&all, &all.jobs[i], &why) < 0)
            all.jobs[i].code = launch_problem(all.jobs[i].target_name, &why);
    }
    for (size_t i = 0; i < all.count; i++)
        code = exit_code_worse(code, all.jobs[i].code);
    if (code == EXIT_OK && launch->detach)
        warn_of_logout();
    if (code == EXIT_OK && launch_follow(&all, &err) < 0) {
        help_problem("%s", error_text(&err));
        code = exit_code_of(&err);
    }
    for (size_t i = 0; i < all.count; i++) {
        code = exit_code_worse(code, all.jobs[i].code);
        if (all.cancelled && !all.jobs[i].started)
            code = exit_code_worse(code, EXIT_CANCELLED);
        machine_free(all.jobs[i].machine);
        free(worker_last_words(&all.jobs[i].last_words));
        free(all.jobs[i].ansible_version);
    }
    if (code == EXIT_OK && !launch->detach) /* a store that gave trouble is not asked for more */
        prune(&all);
    ansible_arguments_clear(&all.arguments);
    free(all.jobs);
    free(all.state);
    free(all.store);
    return code;
}
