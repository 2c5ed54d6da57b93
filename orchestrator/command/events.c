#include "view/events.h"
#include "base/memory.h"
#include "command/choose_run.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/options.h"
#include "command/store_access.h"
#include "figures/account.h"

#include <errno.h>
#include <unistd.h>

static const useconds_t poll_us = 200000;

struct request {
    const char *run, *target;
    bool follow, json;
};

static const struct option options[] = {{"follow", no_argument, NULL, 'f'},
                                        {"json", no_argument, NULL, 'j'},
                                        {"target", required_argument, NULL, 't'},
                                        {0}};

static int parse(const struct command *command, int argc, char **argv, struct request *out)
{
    optind = 0;
    for (int option; (option = options_next(command, argc, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        out->follow |= option == 'f';
        out->json |= option == 'j';
        if (option == 't')
            out->target = optarg;
    }
    if (argc - optind > 1 || (optind < argc && out->target)) {
        help_problem("events takes one run or target");
        return EXIT_BAD_USAGE;
    }
    out->run = argv[optind];
    return EXIT_OK;
}

/* What was printed of a run so far. */
struct shown {
    int64_t event; /* the last one's number */
    int step;      /* the last one whose end was told */
};

/* Ends of steps are no events of their own: each comes before what happened after it. `before`
 * NULL: all that have ended. */
static size_t add_ends(const struct history_step *steps, size_t count, size_t at,
                       const struct history_event *before, struct shown *shown, struct text *out)
{
    struct table_look look = table_look_of(STDOUT_FILENO);
    for (; at < count && steps[at].outcome; at++) {
        int64_t ended = events_ended_ns(steps[at].started_ns, steps[at].duration_ns);
        if (before && steps[at].seq >= before->step && ended > before->at_ns)
            break;
        if (steps[at].seq > shown->step) {
            events_add_verdict(NULL, &steps[at], &look, out);
            shown->step = steps[at].seq;
        }
    }
    return at;
}

/* Prints what came after what was shown, and the run's end where it had one when its row was read. Steps are
 * read before events, so that none of what came before an end is missed. */
static int print_new(struct sql *db, const struct history_run *run, bool json, struct shown *shown,
                     struct error *err)
{
    struct history_step *steps;
    struct history_event *events;
    struct table_look look = table_look_of(STDOUT_FILENO);
    AUTO_TEXT out = TEXT_INIT;
    size_t count, step_count, at = 0;
    if (history_steps(db, run->id, &steps, &step_count, err) < 0)
        return -1;
    if (history_events(db, run->id, shown->event, &events, &count, err) < 0) {
        history_steps_free(steps, step_count);
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (json) {
            events_add_json(&events[i], run->id, &out);
        } else {
            at = add_ends(steps, step_count, at, &events[i], shown, &out);
            events_add_line(&events[i], &look, &out);
        }
        shown->event = events[i].number;
    }
    if (!json) {
        add_ends(steps, step_count, at, NULL, shown, &out);
        events_add_verdict(run, NULL, &look, &out);
    }
    history_events_free(events, count);
    history_steps_free(steps, step_count);
    return table_print(&out) < 0 ? error_system(err, errno, "cannot write the events") : 0;
}

/* Until the run has an outcome, or its worker is gone. Whether it ended is asked before its last events
 * are read. */
static int follow(struct sql *db, const char *state, const char *id, const struct request *request,
                  struct error *err)
{
    struct shown shown = {0};
    for (;;) {
        struct history_run *run;
        if (history_run(db, id, NULL, &run, err) < 0)
            return -1;
        bool ended = run->outcome || !account_is_running(state, run, NULL);
        int result = print_new(db, run, request->json, &shown, err);
        history_run_free(run);
        if (result < 0 || ended)
            return result;
        usleep(poll_us);
    }
}

static int show(struct sql *db, const char *state, const struct request *request, struct error *err)
{
    struct history_run *run;
    struct shown shown = {0};
    if (choose_run_shown(db, request->run, request->target, &run, err) < 0)
        return -1;
    int result = request->follow ? follow(db, state, run->id, request, err)
                                 : print_new(db, run, request->json, &shown, err);
    history_run_free(run);
    return result;
}

static int call(struct command_context *context, int argc, char **argv)
{
    struct request request = {0};
    int code = parse(context->command, argc, argv, &request);
    if (code != EXIT_OK)
        return code;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *state = NULL;
    AUTO_SQL *db = NULL;
    if (store_access_open(context, &state, &db, &err) < 0 || show(db, state, &request, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    return EXIT_OK;
}

const struct command command_events = {
    .help = {"events", "[RUN|TARGET] [--target NAME] [--follow] [--json]",
             "what happened in a run besides tasks"},
    .options = options,
    .run = call,
};
