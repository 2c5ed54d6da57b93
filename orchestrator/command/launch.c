#include "command/launch.h"

#include "action/plan.h"
#include "action/reconcile.h"
#include "action/worker.h"
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "command/exit_code.h"
#include "data/history.h"
#include "data/layout.h"
#include "data/store.h"
#include "data/store_maintain.h"
#include "mechanism/lock.h"
#include "mechanism/loop.h"
#include "view/help.h"
#include "view/live.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* A guard ends a dead run within milliseconds, unless a process of it hangs in the kernel. */
enum { GUARD_BOUND_S = 10, GUARD_LOOK_US = 20000 };

struct job {
    const char *target_name;
    const struct target *target; /* NULL: not in the project's files */
    struct machine *machine;
    char *ansible_version;
    char run[ID_SIZE];
    struct child worker;
    char *last_words; /* memory shared with the worker */
    struct watch *watch;
    struct command_run *all;
    int code;
    bool started, over;
};

struct command_run {
    const struct launch *launch;
    char *state, *store;
    struct ansible_arguments arguments;
    struct job *jobs;
    size_t count, running;
    struct loop *loop;
    struct live *live;
    bool cancelled;
};

int launch_dashes(int argc, char **argv)
{
    int at = 0;
    while (at < argc && !text_is(argv[at], "--"))
        at++;
    return at;
}

static int exit_of_outcome(enum outcome outcome, const char *stage, bool changed_where_none_should)
{
    switch (outcome) {
    case OUTCOME_OK:
    case OUTCOME_SKIPPED:
        return changed_where_none_should ? EXIT_FOUND : EXIT_OK;
    case OUTCOME_FAILED:
    case OUTCOME_CHILD_CRASHED:
        return stage && !text_is(stage, "transport") ? EXIT_PROVIDER : EXIT_PHASE_FAILED;
    case OUTCOME_LEFTOVER:
        return EXIT_PROVIDER;
    case OUTCOME_UNREACHABLE:
    case OUTCOME_TRANSPORT_LOST:
        return EXIT_UNREACHABLE;
    case OUTCOME_DEADLINE:
    case OUTCOME_SILENCE:
    case OUTCOME_TASK_TIMEOUT:
        return EXIT_WATCHDOG;
    case OUTCOME_UNHEALTHY:
        return EXIT_UNHEALTHY;
    case OUTCOME_INVALID:
        return EXIT_PROJECT;
    case OUTCOME_CANCELLED:
        return EXIT_CANCELLED;
    case OUTCOME_CRASHED:
    case OUTCOME_NONE:
        break;
    }
    return EXIT_INTERNAL;
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

/* Everything that can be known without making anything. */
static int look(struct command_run *all, struct job *job, struct error *err)
{
    const struct launch *launch = all->launch;
    AUTO_SQL *db = NULL;
    if (history_open(all->store, &db, err) < 0 ||
        history_machine(db, job->target_name, &job->machine, err) < 0)
        return -1;
    if (text_is(launch->kind, "run") && (!job->machine || !job->machine->made_ns))
        return say_not_made(job, err);
    if (text_is(launch->kind, "destroy"))
        return 0;
    struct words phases = {.items = (char **)launch->phases};
    while (launch->phases[phases.count])
        phases.count++;
    struct plan_options options = {.phases = phases.count ? &phases : NULL,
                                   .arguments = &all->arguments,
                                   .machine = job->machine && job->machine->made_ns ? job->machine : NULL};
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

/* Whether the lock's worker is dead and its guard still ends what it left. */
static bool held_by_a_guard(const char *path, const char *boot)
{
    struct lock_owner holder;
    bool held;
    return lock_look(path, &holder, &held, NULL) == 0 && text_is(holder.boot, boot) &&
           !process_alive(holder.pid, holder.start);
}

int launch_lock(const char *state, const char *target, const char *run, int *out, struct error *err)
{
    AUTO_FREE char *path = layout_lock(state, target);
    AUTO_FREE char *boot = process_boot_id();
    struct lock_owner owner = {.pid = getpid(), .start = process_start_time(getpid())};
    snprintf(owner.run, sizeof owner.run, "%s", run);
    snprintf(owner.boot, sizeof owner.boot, "%s", boot);
    for (int64_t until = moment_monotonic() + GUARD_BOUND_S * NS_PER_S;; usleep(GUARD_LOOK_US)) {
        AUTO_ERROR why = ERROR_INIT;
        if (lock_take(path, &owner, out, &why) == 0)
            return 0;
        bool ending = why.kind == ERROR_BUSY && held_by_a_guard(path, boot);
        if (ending && moment_monotonic() < until)
            continue;
        error_move(err, &why);
        return ending ? error_prefix(err, "its worker died, and what that left cannot be ended") : -1;
    }
}

/* Under the lock: ends what dead runs of the target left, and closes their rows. */
static int put_in_order(struct command_run *all, struct job *job, struct error *err)
{
    AUTO_WORDS said = WORDS_INIT;
    int status = reconcile_target(all->state, job->target_name, EXIT_INTERNAL, &said, err);
    for (size_t i = 0; i < said.count; i++)
        help_note("%s", said.items[i]);
    return status;
}

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
    if (!dead)
        return 0;
    AUTO_CLOSE int lock = -1;
    id_make(job->run);
    return launch_lock(all->state, job->target_name, job->run, &lock, err) < 0 ? -1
                                                                               : put_in_order(all, job, err);
}

static int begin(struct command_run *all, struct job *job, struct error *err)
{
    const struct launch *launch = all->launch;
    AUTO_CLOSE int lock = -1;
    id_make(job->run);
    if (launch_lock(all->state, job->target_name, job->run, &lock, err) < 0)
        return -1;
    if (put_in_order(all, job, err) < 0)
        return -1;
    /* Under the lock it is true: another command may have made or removed it since it was looked at. */
    AUTO_SQL *db = NULL;
    struct machine *machine = NULL;
    if (history_open(all->store, &db, err) < 0 || history_machine(db, job->target_name, &machine, err) < 0)
        return -1;
    sql_cleanup(&db);
    db = NULL;
    machine_free(job->machine);
    job->machine = machine;
    if (!machine && text_is(launch->kind, "run"))
        return say_not_made(job, err);
    if (!machine && !text_is(launch->kind, "create")) {
        help_note("%s: nothing is there", job->target_name);
        job->over = true;
        return 0;
    }
    struct runner_request request = {.project = launch->project,
                                     .target = job->target,
                                     .target_name = job->target_name,
                                     .project_name = launch->project ? launch->project->name
                                                     : machine       ? machine->project
                                                                     : "?",
                                     .project_directory = launch->project_directory,
                                     .state = all->state,
                                     .kind = launch->kind,
                                     .run_id = job->run,
                                     .group_id = launch->group_id,
                                     .machine = machine,
                                     .phases = launch->phases,
                                     .arguments = launch->arguments,
                                     .sets = launch->sets,
                                     .ansible_version = job->ansible_version,
                                     .extra_digest = all->arguments.extra_digest,
                                     .partial = all->arguments.partial || launch->phases[0],
                                     .check_idempotent = launch->check_idempotent,
                                     .keep_state = launch->keep_state,
                                     .no_teardown = launch->no_teardown,
                                     .exit_code = exit_of_outcome};
    if (worker_start(&request, lock, &job->worker, &job->last_words, err) < 0)
        return -1;
    job->started = true;
    all->running++;
    if (live_add(all->live, all->state, job->target_name, job->run, NULL) < 0)
        help_note("%s: run %s goes on unseen; 'triphase status' tells of it", job->target_name, job->run);
    return loop_watch(all->loop, job->worker.pidfd, EPOLLIN, on_worker, job, &job->watch, err);
}

static void begin_more(struct command_run *all)
{
    for (size_t i = 0; i < all->count && all->running < (size_t)all->launch->jobs && !all->cancelled; i++) {
        struct job *job = &all->jobs[i];
        AUTO_ERROR err = ERROR_INIT;
        if (job->started || job->over)
            continue;
        if (begin(all, job, &err) < 0) {
            job->code = problem(job->target_name, &err);
            job->over = !job->started;
        }
    }
    if (!all->running)
        loop_stop(all->loop);
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
    live_done(all->live, job->run, !end.exited || end.code == EXIT_INTERNAL, death ? death : words);
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

static int follow_all(struct command_run *all, struct error *err)
{
    bool terminal = isatty(STDERR_FILENO);
    const char *no_colour = getenv("NO_COLOR");
    if (loop_new(&all->loop, err) < 0 || loop_signal(all->loop, SIGINT, on_signal, all, err) < 0 ||
        loop_signal(all->loop, SIGTERM, on_signal, all, err) < 0)
        return -1;
    all->live = live_new(all->loop, terminal, no_colour && *no_colour, all->count > 1);
    begin_more(all);
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
    if (job->target || (text_is(all->launch->kind, "destroy") && was_known(all, job->target_name)))
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
    if (layout_make(all->state, err) < 0 || store_prepare(all->store, err) < 0)
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
    if (all->launch->project && all->state &&
        store_prune(all->store, all->state, moment_wall() - all->launch->project->keep_ns, &pruned, &err) < 0)
        help_note("warning: old runs could not be pruned: %s", error_text(&err));
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
    if (code == EXIT_OK) /* a store that gave trouble is not asked for more */
        prune(&all);
    ansible_arguments_free(&all.arguments);
    free(all.jobs);
    free(all.state);
    free(all.store);
    return code;
}
