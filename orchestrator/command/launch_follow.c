#include "command/launch_follow.h"

#include "base/memory.h"
#include "base/moment.h"
#include "command/exit_code.h"
#include "command/launch_begin.h"
#include "run/worker.h"
#include "store/history.h"
#include "view/help.h"
#include "view/run_view.h"

#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BEGUN_LOOK_MS = 10 };

static void on_worker(void *context, uint32_t events);

static int begin_followed(struct command_run *all, struct job *job, struct error *err)
{
    if (launch_begin(all, job, err) < 0)
        return -1;
    if (job->over)
        return 0;
    job->started = true;
    all->running++;
    if (!all->launch->detach && live_add(all->live, all->state, job->target_name, job->run, NULL) < 0)
        help_note("%s: run %s goes on unseen; 'triphase status' tells of it", job->target_name,
                  id_shown(job->run));
    if (!all->launch->detach)
        live_worker(all->live, job->run, job->worker.pid);
    return loop_watch(all->loop, job->worker.pidfd, EPOLLIN, on_worker, job, &job->watch, err);
}

static void begin_more(struct command_run *all)
{
    while (all->running < (size_t)all->launch->jobs && !all->cancelled) {
        struct job *job = launch_next(all);
        AUTO_ERROR err = ERROR_INIT;
        if (!job)
            break;
        if (begin_followed(all, job, &err) < 0) {
            job->code = launch_problem(job->target_name, &err);
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
        waits |= !job->started && !job->over;
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
        if (all->jobs[i].started && !all->jobs[i].over) {
            child_signal(&all->jobs[i].worker, SIGTERM);
            live_ending(all->live, all->jobs[i].run);
        }
}

/* The terminal is lost. What runs goes on by itself; what is still to be begun needs this
 * process, which goes on unseen. */
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

/* Detached or not, somebody has to stay for those. */
static void say_who_waits(const struct command_run *all)
{
    for (size_t i = 0; i < all->count; i++)
        if (launch_waits_for_peers(all, &all->jobs[i]))
            help_note("%s: begins when its peers are made; this command stays until then",
                      all->jobs[i].target_name);
}

static int make_loop(struct command_run *all, struct error *err)
{
    if (loop_new(&all->loop, err) < 0 || loop_signal(all->loop, SIGINT, on_signal, all, err) < 0 ||
        loop_signal(all->loop, SIGTERM, on_signal, all, err) < 0)
        return -1;
    struct sigaction hang_up;
    bool ignored = sigaction(SIGHUP, NULL, &hang_up) < 0 || hang_up.sa_handler == SIG_IGN;
    return all->count > 1 && !ignored ? loop_signal(all->loop, SIGHUP, on_hang_up, all, err) : 0;
}

int launch_follow(struct command_run *all, struct error *err)
{
    bool terminal = isatty(STDERR_FILENO);
    const char *no_colour = getenv("NO_COLOR");
    if (make_loop(all, err) < 0) {
        loop_free(all->loop);
        return -1;
    }
    if (!all->launch->detach)
        all->live = live_new(all->loop, terminal, no_colour && *no_colour, all->count > 1);
    if (all->launch->detach)
        say_who_waits(all);
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
