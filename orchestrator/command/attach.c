/* triphase attach [RUN|TARGET]: follows a run that goes on, and ends as it ends; of one that is over
 * the end is told at once. */
#include "ansible/secret_fetch.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/choose_run.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/options.h"
#include "command/project_access.h"
#include "command/store_access.h"
#include "control/reconcile.h"
#include "control/running.h"
#include "process/loop.h"
#include "store/history_tasks.h"
#include "view/help.h"
#include "view/live.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct attached {
    struct command_context *context;
    struct loop *loop;
    struct child worker;
    struct live *live; /* NULL: not yet */
    const char *run;
    bool no_cancel, left;
};

static void on_gone(void *context, uint32_t events)
{
    (void)events;
    loop_stop(((struct attached *)context)->loop);
}

static void on_signal(void *context, int number)
{
    (void)number;
    struct attached *attached = context;
    if (!attached->no_cancel) {
        child_signal(&attached->worker, SIGTERM);
        live_ending(attached->live, attached->run);
        return;
    }
    attached->left = true;
    loop_stop(attached->loop);
}

static int end_of(struct sql *db, struct history_run **run, struct error *err)
{
    struct history_run *now = NULL;
    if (history_run(db, (*run)->id, NULL, &now, err) < 0)
        return -1;
    history_run_free(*run);
    *run = now;
    return 0;
}

/* There is no worker to learn from: what the project's files still lead to, and the names that
 * its events were told with. */
static void know_again(const struct attached *attached, struct live *live, struct sql *db,
                       const struct history_run *run)
{
    struct redact_rules *rules = live_rules(live, run->id);
    AUTO_PROJECT *project = NULL;
    const struct target *target = NULL;
    AUTO_WORDS names = WORDS_INIT;
    if (!rules || project_access_load(attached->context, run->target, &project, &target, NULL) < 0)
        return;
    (void)history_names(db, run->id, &names, NULL); /* without them more is hidden */
    secret_fetch_again(project, target, &names, rules);
}

static int follow(struct attached *attached, struct sql *db, const char *state, struct history_run **run,
                  struct error *err)
{
    struct watch *watch = NULL;
    bool terminal = isatty(STDERR_FILENO);
    const char *no_colour = getenv("NO_COLOR");
    bool lives = attached->worker.pidfd >= 0;
    if (lives &&
        (loop_signal(attached->loop, SIGINT, on_signal, attached, err) < 0 ||
         loop_signal(attached->loop, SIGTERM, on_signal, attached, err) < 0 ||
         loop_watch(attached->loop, attached->worker.pidfd, EPOLLIN, on_gone, attached, &watch, err) < 0))
        return -1;
    struct live *live = live_new(attached->loop, terminal, no_colour && *no_colour, false);
    attached->live = live;
    attached->run = (*run)->id;
    AUTO_ERROR unseen = ERROR_INIT;
    if (live_join(live, state, (*run)->target, (*run)->id, &unseen) < 0)
        help_note("%s: run %s cannot be followed: %s", (*run)->target, id_shown((*run)->id),
                  error_text(&unseen));
    if (lives)
        live_worker(live, (*run)->id, attached->worker.pid);
    else
        know_again(attached, live, db, *run);
    int status = lives ? loop_run(attached->loop, err) : 0;
    watch_stop(&watch);
    if (status == 0 && !attached->left)
        status = end_of(db, run, err);
    bool crashed = !(*run)->outcome || text_is((*run)->outcome, outcome_name(OUTCOME_CRASHED));
    if (status == 0 && !attached->left)
        live_done(live, (*run)->id, crashed,
                  (*run)->message ? (*run)->message
                                  : "its worker died; 'triphase status' tells what is left of it");
    live_free(live);
    return status;
}

static int attach(struct command_context *context, const char *state, struct sql *db,
                  struct history_run **run, bool no_cancel)
{
    AUTO_ERROR err = ERROR_INIT;
    struct attached attached = {.context = context, .worker = CHILD_INIT, .no_cancel = no_cancel};
    int found = running_find(state, *run, &attached.worker, &err);
    if (!(*run)->outcome && found == 0 && reconcile_look(*run).elsewhere) {
        help_problem(
            "run %s of %s began on another machine or boot (%s) and has no end here; follow it there",
            id_shown((*run)->id), (*run)->target, (*run)->node ? (*run)->node : "unknown");
        return EXIT_BAD_USAGE;
    }
    if (found < 0 || loop_new(&attached.loop, &err) < 0 || follow(&attached, db, state, run, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    loop_free(attached.loop);
    child_close(&attached.worker);
    if (attached.left) {
        help_note("%s: run %s goes on by itself", (*run)->target, id_shown((*run)->id));
        return EXIT_BUSY;
    }
    return (*run)->outcome && (*run)->exit_code >= 0 ? (*run)->exit_code : EXIT_INTERNAL;
}

static const struct option options[] = {{"no-cancel", no_argument, NULL, 'n'}, {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    bool no_cancel = false;
    optind = 0;
    for (int option; (option = options_next(context->command, argc, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        no_cancel = true;
    }
    if (argc - optind > 1) {
        help_problem("attach takes one run or target; '%s' is one too many", argv[optind + 1]);
        return EXIT_BAD_USAGE;
    }
    AUTO_ERROR err = ERROR_INIT;
    AUTO_SQL *db = NULL;
    AUTO_FREE char *state = NULL;
    struct history_run *run = NULL;
    if (store_access_open(context, &state, &db, &err) < 0 ||
        (argv[optind] ? choose_run(db, argv[optind], &run, &err) : choose_run_active(db, false, &run, &err)) <
            0 ||
        (!run && history_last_here(db, NULL, &run, &err) < 0)) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    if (!run) {
        help_problem("there is no run yet; 'triphase create' makes one");
        return EXIT_BAD_USAGE;
    }
    int code = attach(context, state, db, &run, no_cancel);
    history_run_free(run);
    return code;
}

const struct command command_attach = {
    .help = {"attach", "[RUN|TARGET] [--no-cancel]", "follow a run that goes on, and end as it ends"},
    .options = options,
    .run = call,
};
