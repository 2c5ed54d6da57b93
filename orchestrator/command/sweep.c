/* triphase sweep: removes what bears this project's id and is past its time, at every provider that the
 * project's targets lead to. What its store knows goes the way of `destroy`, without teardown phases: they
 * may fail, and a machine that nobody wants any more would stay. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/launch.h"
#include "command/options.h"
#include "command/project_access.h"
#include "command/put_in_order.h"
#include "command/sweep_unknown.h"
#include "config/layout.h"
#include "store/history.h"
#include "store/identity.h"
#include "store/store.h"
#include "view/estate_view.h"
#include "view/help.h"

#include <stdio.h>
#include <unistd.h>

enum { JOBS = 4 };

struct sweep {
    const struct command_context *context;
    struct project *project;
    bool dry_run, yes, json;
};

/* Whose id the folder bears must be true before anything is called its own. */
static int put_project_in_order(const struct sweep *sweep, struct error *err)
{
    const char *directory = sweep->project->directory;
    AUTO_FREE char *state = layout_state(directory), *store = layout_store(state), *original = NULL;
    int there = file_look(state, err);
    if (there <= 0)
        return there;
    if (sweep->dry_run)
        return identity_is_copy(directory, &original, NULL) > 0
                   ? error_set(err, ERROR_PROJECT,
                               "this is a copy of the project in %s, whose machines are not its own",
                               original)
                   : 0;
    if (put_in_order_project(directory, err) < 0)
        return -1;
    there = file_look(store, err);
    return there <= 0 ? there : store_prepare(store, err);
}

static bool is_known_due(const struct estate_item *item)
{
    return item->due == DUE_GOES && item->machine;
}

/* Its row is closed, whoever did it. */
static void note_became(const struct sweep *sweep, struct estate_item *item)
{
    AUTO_FREE char *state = layout_state(sweep->project->directory), *store = layout_store(state);
    AUTO_SQL *db = NULL;
    AUTO_MACHINE *now = NULL;
    AUTO_ERROR err = ERROR_INIT;
    bool read =
        history_open(store, &db, &err) == 0 && history_machine_by_id(db, item->machine->id, &now, &err) == 0;
    item->became = read && now && now->removed_ns ? "removed" : "failed";
    if (!read)
        item->trouble = xstrdup(error_text(&err));
}

static int remove_known(const struct sweep *sweep, struct estate *estate)
{
    static const char *const no_phases[] = {NULL};
    AUTO_WORDS targets = WORDS_INIT;
    int64_t now = 0;
    for (size_t i = 0; i < estate->count; i++) {
        const struct estate_item *item = &estate->items[i];
        if (!is_known_due(item))
            continue;
        words_add(&targets, item->target);
        now = item->now_ns > now ? item->now_ns : now;
    }
    if (!targets.count)
        return EXIT_OK;
    struct launch what = {.kind = "destroy",
                          .project = sweep->project,
                          .project_directory = sweep->project->directory,
                          .targets = words_argv(&targets),
                          .phases = no_phases,
                          .sets = sweep->context->sets,
                          .jobs = JOBS,
                          .no_teardown = true,
                          .expired_ns = now};
    int code = launch(&what);
    for (size_t i = 0; i < estate->count; i++)
        if (is_known_due(&estate->items[i]))
            note_became(sweep, &estate->items[i]);
    return code;
}

/* Of places that could not be asked nobody knows what is there. */
static int tell_unasked(const struct estate *estate)
{
    AUTO_WORDS lines = WORDS_INIT;
    int code = estate_view_unasked(estate, &lines) ? EXIT_MISSING : EXIT_OK;
    estate_view_clones(estate, &lines);
    help_notes(&lines);
    return code;
}

static int print(const struct sweep *sweep, const struct estate *estate)
{
    int status =
        sweep->json ? estate_view_print_json(estate, sweep->dry_run) : estate_view_print(estate, ESTATE_ALL);
    return status < 0 ? EXIT_INTERNAL : EXIT_OK;
}

static int agree(const struct sweep *sweep, struct estate *estate, struct error *err)
{
    size_t count = estate_count(estate, DUE_GOES);
    if (sweep->yes)
        return 0;
    if (!isatty(STDIN_FILENO))
        return error_set(err, ERROR_USAGE, "nothing was removed: without a terminal it needs --yes");
    if (!help_ask("Remove %s%zu that %s past %s time?", count > 1 ? "these " : "the ", count,
                  count > 1 ? "are" : "is", count > 1 ? "their" : "its"))
        return error_set(err, ERROR_CANCELLED, "nothing was removed");
    return estate_look_again(sweep->project, NULL, estate, err);
}

static int run(const struct sweep *sweep)
{
    AUTO_ESTATE estate = {0};
    AUTO_ERROR err = ERROR_INIT;
    if (put_project_in_order(sweep, &err) < 0 || estate_look(sweep->project, NULL, &estate, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    int code = tell_unasked(&estate);
    bool due = estate_count(&estate, DUE_GOES) > 0;
    if (sweep->dry_run || !due || !sweep->json)
        code = exit_code_worse(code, print(sweep, &estate));
    if (sweep->dry_run || !due)
        return exit_code_worse(code, due ? EXIT_FOUND : EXIT_OK);
    if (agree(sweep, &estate, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    if (sweep_unknown(sweep->project, &estate, &err) < 0)
        code = exit_code_worse(code, exit_code_of(&err));
    code = exit_code_worse(code, remove_known(sweep, &estate));
    return sweep->json ? exit_code_worse(code, print(sweep, &estate)) : code;
}

static const struct option options[] = {{"dry-run", no_argument, NULL, 'd'},
                                        {"yes", no_argument, NULL, 'y'},
                                        {"json", no_argument, NULL, 'j'},
                                        {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    struct sweep sweep = {.context = context};
    optind = 0;
    for (int option; (option = options_next(context->command, argc, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        sweep.dry_run |= option == 'd';
        sweep.yes |= option == 'y';
        sweep.json |= option == 'j';
    }
    if (optind < argc) {
        help_problem("sweep takes no target: it looks at everything of the project");
        return EXIT_BAD_USAGE;
    }
    AUTO_PROJECT *project = NULL;
    int code = project_access_open(context, NULL, &project, NULL);
    sweep.project = project;
    return code == EXIT_OK ? run(&sweep) : code;
}

const struct command command_sweep = {
    .help = {"sweep", "[--dry-run] [--yes] [--json]",
             "remove this project's machines that are past their ttl"},
    .options = options,
    .letters = "y",
    .run = call,
};
