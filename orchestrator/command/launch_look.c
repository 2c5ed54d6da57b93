#include "command/launch_look.h"

#include "ansible/host_variables.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/put_in_order.h"
#include "control/reconcile.h"
#include "preflight/plan.h"
#include "provider/made_look.h"
#include "store/history.h"
#include "view/help.h"

int launch_say_not_made(const struct job *job, struct error *err)
{
    return error_set(err, ERROR_USAGE, "nothing is made for this target yet; 'triphase create %s' makes it",
                     job->target_name);
}

int launch_check_resumed(struct sql *db, const struct launch *launch, const struct job *job,
                         struct error *err)
{
    const struct resume *resume = launch->resume;
    struct history_run *last = NULL;
    if (!resume)
        return 0;
    if (history_last_here(db, job->target_name, &last, err) < 0)
        return -1;
    int status = 0;
    if (!last || !text_is(last->id, resume->parent))
        status = error_set(err, ERROR_USAGE, "run %s came after run %s: 'triphase resume %s' goes on with it",
                           last ? id_shown(last->id) : "?", id_shown(resume->parent), job->target_name);
    history_run_free(last);
    bool same = job->machine && text_is(job->machine->id, resume->machine_id);
    if (status == 0 && resume->machine_id && !same && !text_is(resume->does, "destroy"))
        return error_set(
            err, ERROR_PROVIDER,
            "the machine of run %s is gone, and what it completed with it; 'triphase create %s' makes a"
            " new one",
            id_shown(resume->parent), job->target_name);
    return status;
}

int launch_check_peers(const struct command_run *all, struct sql *db, const struct job *job,
                       struct error *err)
{
    bool phases = job->target && !text_is(launch_does(all->launch), "destroy");
    for (size_t i = 0; phases && i < job->target->peers.count; i++) {
        const char *peer = job->target->peers.items[i];
        AUTO_MACHINE *machine = NULL;
        if (history_machine(db, peer, &machine, err) < 0)
            return -1;
        if (!launch_is_made(machine) && !launch_to_come(all, peer))
            return error_set(err, ERROR_PROJECT, "the peer %s is not made; 'triphase create %s' makes it",
                             peer, peer);
    }
    return 0;
}

/* The phases that a plan has to look at. */
static void remaining_phases(const struct launch *launch, const struct job *job, struct words *out)
{
    if (!launch->resume) {
        words_add_list(out, launch->phases);
        return;
    }
    const struct recipe *recipe = project_recipe(launch->project, job->target->recipe);
    for (size_t i = 0; i < recipe->phase_count; i++) {
        const char *name = recipe->phases[i].name;
        const struct words *asked = &launch->resume->asked;
        if ((!asked->count || words_have(asked, name)) && !words_have(&launch->resume->done, name))
            words_add(out, name);
    }
}

int launch_look(struct command_run *all, struct job *job, struct error *err)
{
    const struct launch *launch = all->launch;
    AUTO_SQL *db = NULL;
    if (history_open(all->store, &db, err) < 0 ||
        history_machine(db, job->target_name, &job->machine, err) < 0)
        return -1;
    if (launch_check_resumed(db, launch, job, err) < 0)
        return -1;
    if (launch_needs_made(launch) && !launch_is_made(job->machine))
        return launch_say_not_made(job, err);
    if (launch->project && job->target)
        host_variables_fill(launch->project, job->target_name, NULL);
    if (text_is(launch_does(launch), "destroy"))
        return 0;
    if (launch_check_peers(all, db, job, err) < 0)
        return -1;
    AUTO_WORDS phases = WORDS_INIT;
    remaining_phases(launch, job, &phases);
    AUTO_MACHINE *now =
        launch_is_made(job->machine) ? made_look_now(launch->project, job->target, job->machine) : NULL;
    struct plan_options options = {.phases = phases.count ? &phases : NULL,
                                   .arguments = &all->arguments,
                                   .machine = now,
                                   .create = text_is(launch->kind, "create"),
                                   .bootstraps = text_is(launch_does(launch), "create"),
                                   .peers_seen_to = true};
    struct plan_report report = {0};
    if (plan_check(launch->project, job->target, &options, &report, err) < 0)
        return -1;
    for (size_t i = 0; i < report.count; i++)
        if (!report.findings[i].refuses)
            help_note("%s: warning: %s%s%s", job->target_name,
                      report.findings[i].where ? report.findings[i].where : "",
                      report.findings[i].where ? ": " : "", report.findings[i].text);
    int status = plan_error(&report, err);
    job->ansible_version = xstrdup_or_null(report.ansible_version);
    plan_report_clear(&report);
    return status;
}

int launch_end_the_dead(struct command_run *all, struct job *job, struct error *err)
{
    AUTO_SQL *db = NULL;
    struct history_run **open = NULL;
    if (history_open(all->store, &db, err) < 0 || history_open_runs(db, job->target_name, &open, err) < 0)
        return -1;
    bool dead = false;
    for (size_t i = 0; open && open[i]; i++)
        dead |= !reconcile_look(open[i]).alive;
    history_runs_free(open);
    return dead ? put_in_order(all->state, job->target_name, err) : 0;
}

int launch_check_made(const struct launch *launch, struct job *job, struct error *err)
{
    AUTO_MADE made = MADE_INIT;
    if (text_is(launch_does(launch), "destroy")) {
        if (job->target) {
            job->as_made = made_target(job->target, job->machine);
            job->target = &job->as_made;
        }
        return 0;
    }
    made_look(launch->project, job->target, job->machine, &made, NULL);
    return made_refuse(&made, job->target, job->machine, text_is(launch->kind, "create"), err);
}
