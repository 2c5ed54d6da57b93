#include "command/launch.h"

#include "ansible/host_variables.h"
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "command/exit_code.h"
#include "command/put_in_order.h"
#include "config/layout.h"
#include "control/reconcile.h"
#include "control/settle.h"
#include "preflight/linger.h"
#include "preflight/plan.h"
#include "process/lock.h"
#include "process/loop.h"
#include "provider/made_look.h"
#include "run/async_directory.h"
#include "run/intent.h"
#include "run/worker.h"
#include "store/history.h"
#include "store/maintain.h"
#include "store/store.h"
#include "view/help.h"
#include "view/live.h"
#include "view/run_view.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BEGUN_LOOK_MS = 10 };

struct job {
    const char *target_name;
    const struct target *target; /* NULL: not in the project's files */
    struct target as_made;       /* what `target` is of a destroy */
    struct machine *machine;
    char *ansible_version;
    char run[ID_SIZE];
    struct child worker;
    char *last_words; /* memory shared with the worker */
    struct watch *watch;
    struct command_run *all;
    int code;
    bool started, over;
    bool begun; /* its row is in the store; asked for where it is not followed */
};

struct command_run {
    const struct launch *launch;
    char *state, *store;
    struct ansible_arguments arguments;
    struct job *jobs;
    size_t count, running;
    struct loop *loop;
    struct live *live;
    int64_t known_ns;    /* the newest time that was known before these runs */
    struct timer *begun; /* looks whether the runs are begun, where they are not followed */
    bool cancelled;
};

/* What is done: of a resume what the run did that it goes on with. */
static const char *does(const struct launch *launch)
{
    return launch->resume ? launch->resume->does : launch->kind;
}

static int problem(const char *target, const struct error *err)
{
    help_problem("%s: %s", target, error_text(err));
    return exit_code_of(err);
}

static int say_not_made(const struct job *job, struct error *err)
{
    return error_set(err, ERROR_USAGE, "nothing is made for this target yet; 'triphase create %s' makes it",
                     job->target_name);
}

/* A resume goes on with what the last run of the target left, on the machine that it had. */
static int check_resumed(struct sql *db, const struct launch *launch, const struct job *job,
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

static bool is_made(const struct machine *machine)
{
    return machine && machine->made_ns;
}

/* Another target of this command whose machine is still to be made; with --detach nobody stays to have it made first. */
static bool to_come(const struct command_run *all, const char *target)
{
    for (size_t i = 0; !all->launch->detach && i < all->count; i++)
        if (text_is(all->jobs[i].target_name, target))
            return !all->jobs[i].over && !is_made(all->jobs[i].machine);
    return false;
}

/* No phase begins without its peers, so nothing is made for a target that would only stop there. */
static int check_peers(const struct command_run *all, struct sql *db, const struct job *job,
                       struct error *err)
{
    bool phases = job->target && !text_is(does(all->launch), "destroy");
    for (size_t i = 0; phases && i < job->target->peers.count; i++) {
        const char *peer = job->target->peers.items[i];
        AUTO_MACHINE *machine = NULL;
        if (history_machine(db, peer, &machine, err) < 0)
            return -1;
        if (!is_made(machine) && !to_come(all, peer))
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

/* Everything that can be known without making anything. */
static int look(struct command_run *all, struct job *job, struct error *err)
{
    const struct launch *launch = all->launch;
    AUTO_SQL *db = NULL;
    if (history_open(all->store, &db, err) < 0 ||
        history_machine(db, job->target_name, &job->machine, err) < 0)
        return -1;
    if (check_resumed(db, launch, job, err) < 0)
        return -1;
    if (text_is(does(launch), "run") && !is_made(job->machine))
        return say_not_made(job, err);
    if (launch->project && job->target)
        host_variables_fill(launch->project, job->target_name, NULL);
    if (text_is(does(launch), "destroy"))
        return 0;
    if (check_peers(all, db, job, err) < 0)
        return -1;
    AUTO_WORDS phases = WORDS_INIT;
    remaining_phases(launch, job, &phases);
    AUTO_MACHINE *now =
        is_made(job->machine) ? made_look_now(launch->project, job->target, job->machine) : NULL;
    if (now)
        host_variables_apply(job->target, now);
    struct plan_options options = {.phases = phases.count ? &phases : NULL,
                                   .arguments = &all->arguments,
                                   .machine = now,
                                   .create = text_is(launch->kind, "create")};
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
    plan_report_free(&report);
    return status;
}

static void on_worker(void *context, uint32_t events);

/* A dead run's processes may still work on the host: they end before even a plan is made. One that lives is left to begin(). */
static int end_the_dead(struct command_run *all, struct job *job, struct error *err)
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

/* What the run's row says that it set out to do. malloc'ed. */
static char *plan_text(const struct command_run *all, const struct job *job)
{
    const struct launch *launch = all->launch;
    const struct recipe *recipe =
        job->target && launch->project ? project_recipe(launch->project, job->target->recipe) : NULL;
    struct run_plan_request ask = {.does = launch->kind,
                                   .target = job->target,
                                   .recipe = recipe,
                                   .asked = launch->phases,
                                   .arguments = all->arguments.extra_digest ? NULL : launch->arguments,
                                   .check_idempotent = launch->check_idempotent,
                                   .keep_state = launch->keep_state,
                                   .no_teardown = launch->no_teardown};
    AUTO_JSON *plan = launch->resume ? resume_plan(launch->resume, job->target, recipe) : run_plan_new(&ask);
    return json_compact(plan);
}

/* Nothing acts on a host that the files do not name; a destroy goes by what was made, and so does its target. */
static int check_made(const struct launch *launch, struct job *job, struct error *err)
{
    AUTO_MADE made = MADE_INIT;
    if (text_is(does(launch), "destroy")) {
        if (job->target) {
            job->as_made = made_target(job->target, job->machine);
            job->target = &job->as_made;
        }
        return 0;
    }
    made_look(launch->project, job->target, job->machine, &made, NULL);
    return made_refuse(&made, job->target, job->machine, text_is(launch->kind, "create"), err);
}

static int begin(struct command_run *all, struct job *job, struct error *err)
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
    if (check_resumed(db, launch, job, err) < 0 || check_peers(all, db, job, err) < 0)
        return -1;
    sql_cleanup(&db);
    db = NULL;
    if (!machine && text_is(does(launch), "run"))
        return say_not_made(job, err);
    if (!machine && !text_is(does(launch), "create")) {
        help_note("%s: nothing is there", job->target_name);
        job->over = true;
        return 0;
    }
    if (machine && check_made(launch, job, err) < 0)
        return -1;
    const struct resume *resume = launch->resume;
    AUTO_FREE char *plan = plan_text(all, job);
    struct runner_request request = {.project = launch->project,
                                     .target = job->target,
                                     .target_name = job->target_name,
                                     .project_name = launch->project ? launch->project->name
                                                     : machine       ? machine->project
                                                                     : "?",
                                     .project_directory = launch->project_directory,
                                     .state = all->state,
                                     .kind = launch->kind,
                                     .does = does(launch),
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
                                     .partial = all->arguments.partial || launch->phases[0],
                                     .check_idempotent = launch->check_idempotent,
                                     .keep_state = launch->keep_state,
                                     .no_teardown = launch->no_teardown,
                                     .exit_code = exit_code_of_outcome};
    if (worker_start(&request, lock, &job->worker, &job->last_words, err) < 0)
        return -1;
    job->started = true;
    all->running++;
    if (!launch->detach && live_add(all->live, all->state, job->target_name, job->run, NULL) < 0)
        help_note("%s: run %s goes on unseen; 'triphase status' tells of it", job->target_name,
                  id_shown(job->run));
    if (!launch->detach)
        live_worker(all->live, job->run, job->worker.pid);
    return loop_watch(all->loop, job->worker.pidfd, EPOLLIN, on_worker, job, &job->watch, err);
}

static bool waits_for_peers(const struct command_run *all, const struct job *job)
{
    for (size_t i = 0; job->target && i < job->target->peers.count; i++)
        if (to_come(all, job->target->peers.items[i]))
            return true;
    return false;
}

/* In the order in which they are named, but peers first; among such as are each other's one has to be. */
static struct job *next_job(const struct command_run *all)
{
    struct job *first = NULL;
    for (size_t i = 0; i < all->count; i++) {
        struct job *job = &all->jobs[i];
        if (job->started || job->over)
            continue;
        if (!waits_for_peers(all, job))
            return job;
        if (!first)
            first = job;
    }
    return all->running ? NULL : first;
}

static void begin_more(struct command_run *all)
{
    while (all->running < (size_t)all->launch->jobs && !all->cancelled) {
        struct job *job = next_job(all);
        AUTO_ERROR err = ERROR_INIT;
        if (!job)
            break;
        if (begin(all, job, &err) < 0) {
            job->code = problem(job->target_name, &err);
            job->over = !job->started;
        }
    }
    if (!all->running)
        loop_stop(all->loop);
}

/* A run is begun when its row is in the store; then nobody is needed here any more. */
static void look_begun(struct command_run *all)
{
    bool waits = false;
    for (size_t i = 0; i < all->count; i++) {
        struct job *job = &all->jobs[i];
        AUTO_SQL *db = NULL;
        struct history_run *run = NULL;
        if (!job->started || job->begun)
            continue;
        AUTO_ERROR unknown_yet = ERROR_INIT;
        job->begun = history_open(all->store, &db, &unknown_yet) == 0 &&
                     history_run(db, job->run, NULL, &run, &unknown_yet) == 0;
        history_run_free(run);
        if (job->begun)
            run_view_begun(job->target_name, job->run);
        waits |= !job->begun && !job->over;
    }
    if (!waits)
        loop_stop(all->loop);
}

static void on_begun(void *context)
{
    struct command_run *all = context;
    timer_arm(all->begun, BEGUN_LOOK_MS * NS_PER_MS);
    look_begun(all);
}

static void on_worker(void *context, uint32_t events)
{
    (void)events;
    struct job *job = context;
    struct command_run *all = job->all;
    struct child_end end;
    if (child_poll(&job->worker, &end, NULL) != 1)
        return;
    watch_stop(&job->watch);
    child_close(&job->worker);
    job->over = true;
    job->code = end.exited ? end.code : EXIT_INTERNAL;
    all->running--;
    AUTO_FREE char *words = worker_last_words(&job->last_words);
    AUTO_FREE char *how = child_end_text(&end);
    AUTO_FREE char *death =
        end.exited ? NULL : xasprintf("its worker %s; 'triphase status' tells what is left of it", how);
    if (all->launch->detach) {
        look_begun(all);
        if (!job->begun)
            help_problem("%s: the run did not begin: %s", job->target_name,
                         death   ? death
                         : words ? words
                                 : "see its worker.log");
        else if (!all->cancelled)
            job->code = EXIT_OK; /* how it ended is for attach to say */
    } else {
        live_done(all->live, job->run, !end.exited || end.code == EXIT_INTERNAL, death ? death : words);
    }
    begin_more(all);
}

static void on_signal(void *context, int number)
{
    (void)number;
    struct command_run *all = context;
    all->cancelled = true;
    for (size_t i = 0; i < all->count; i++)
        if (all->jobs[i].started && !all->jobs[i].over)
            child_signal(&all->jobs[i].worker, SIGTERM);
}

/* The terminal is lost. What runs goes on by itself; what is still to be begun needs this process, which goes on unseen. */
static void on_hang_up(void *context, int number)
{
    struct command_run *all = context;
    for (size_t i = 0; i < all->count; i++)
        if (!all->jobs[i].started && !all->jobs[i].over)
            return;
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    signal(number, SIG_DFL);
    raise(number);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
}

static int follow_all(struct command_run *all, struct error *err)
{
    bool terminal = isatty(STDERR_FILENO);
    const char *no_colour = getenv("NO_COLOR");
    if (loop_new(&all->loop, err) < 0 || loop_signal(all->loop, SIGINT, on_signal, all, err) < 0 ||
        loop_signal(all->loop, SIGTERM, on_signal, all, err) < 0)
        return -1;
    struct sigaction hang_up;
    if (all->count > 1 && sigaction(SIGHUP, NULL, &hang_up) == 0 && hang_up.sa_handler != SIG_IGN &&
        loop_signal(all->loop, SIGHUP, on_hang_up, all, err) < 0)
        return -1;
    if (!all->launch->detach)
        all->live = live_new(all->loop, terminal, no_colour && *no_colour, all->count > 1);
    begin_more(all);
    if (all->launch->detach) {
        all->begun = loop_timer(all->loop, on_begun, all);
        timer_arm(all->begun, BEGUN_LOOK_MS * NS_PER_MS);
    }
    int status = all->running ? loop_run(all->loop, err) : 0;
    live_free(all->live);
    loop_free(all->loop);
    return status;
}

/* A destroy acts on what was made: a target that the files no longer name is destroyed all the same, but one that was never there is a slip. */
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
    if (job->target || (text_is(does(all->launch), "destroy") && was_known(all, job->target_name)))
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
        ansible_check_arguments(launch->arguments, &all->arguments, err) < 0)
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
        if (end_the_dead(&all, &all.jobs[i], &why) < 0 || look(&all, &all.jobs[i], &why) < 0)
            all.jobs[i].code = problem(all.jobs[i].target_name, &why);
    }
    for (size_t i = 0; i < all.count; i++)
        code = exit_code_worse(code, all.jobs[i].code);
    if (code == EXIT_OK && launch->detach)
        warn_of_logout();
    if (code == EXIT_OK && follow_all(&all, &err) < 0) {
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
    ansible_arguments_free(&all.arguments);
    free(all.jobs);
    free(all.state);
    free(all.store);
    return code;
}
