#include "view/events.h"
#include "base/memory.h"
#include "base/moment.h"
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

static int parse(int argc, char **argv, struct request *out)
{
    static const struct option options[] = {{"follow", no_argument, NULL, 'f'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"target", required_argument, NULL, 't'},
                                            {0}};
    optind = 0;
    for (int option; (option = options_next(argc, argv, "", options)) != -1;) {
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

/* Prints what came after `*after`, which moves on. */
static int print_new(struct sql *db, const char *run, bool json, int64_t *after, struct error *err)
{
    struct history_event *events;
    struct table_look look = table_look_of(STDOUT_FILENO);
    AUTO_TEXT out = TEXT_INIT;
    size_t count;
    if (history_events(db, run, *after, &events, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (json)
            events_add_json(&events[i], run, &out);
        else
            events_add_line(&events[i], &look, &out);
        *after = events[i].number;
    }
    history_events_free(events, count);
    return table_print(&out) < 0 ? error_system(err, errno, "cannot write the events") : 0;
}

/* Until the run has an outcome, or its worker is gone. Whether it ended is asked before its last events
 * are read. */
static int follow(struct sql *db, const char *state, const char *id, const struct request *request,
                  int64_t *after, struct error *err)
{
    for (;;) {
        struct history_run *run;
        if (history_run(db, id, NULL, &run, err) < 0)
            return -1;
        bool ended = run->outcome || !account_is_running(state, run, NULL);
        history_run_free(run);
        if (print_new(db, id, request->json, after, err) < 0)
            return -1;
        if (ended)
            return 0;
        usleep(poll_us);
    }
}

static int show(struct sql *db, const char *state, const struct request *request, struct error *err)
{
    struct history_run *run;
    int64_t after = 0;
    if (choose_shown_run(db, request->run, request->target, &run, err) < 0)
        return -1;
    AUTO_FREE char *id = xstrdup(run->id);
    history_run_free(run);
    return request->follow ? follow(db, state, id, request, &after, err)
                           : print_new(db, id, request->json, &after, err);
}

static int call(struct command_context *context, int argc, char **argv)
{
    struct request request = {0};
    int code = parse(argc, argv, &request);
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
    .run = call,
};
