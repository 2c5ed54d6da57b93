/* triphase drift [TARGET...]: what the phases of a made target would change, looked at in check mode. */
#include "base/memory.h"
#include "base/number.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/launch.h"
#include "command/options.h"
#include "command/project_access.h"
#include "config/layout.h"
#include "store/store.h"
#include "view/drift_view.h"
#include "view/help.h"

#include <errno.h>

enum { JOBS_MOST = 64 };

/* Where none is named: all that are made, protected ones too, for nothing is changed. */
static int choose_made(const struct project *project, const char *store, struct words *out, struct error *err)
{
    for (size_t i = 0; i < project->target_count; i++) {
        AUTO_MACHINE *machine = NULL;
        if (history_made(store, project->targets[i].name, &machine, err) < 0)
            return -1;
        if (machine)
            words_add(out, project->targets[i].name);
    }
    return 0;
}

static int newest(const char *store, int64_t *out, struct error *err)
{
    AUTO_SQL *db = NULL;
    return history_open(store, &db, err) < 0 ? -1 : history_drift_newest(db, out, err);
}

static int load(struct sql *db, int64_t after, struct drift_target *out, struct error *err)
{
    AUTO_FREE char *run = NULL;
    if (history_drift_run(db, out->target, after, &run, err) < 0)
        return -1;
    return run && (history_run(db, run, NULL, &out->run, err) < 0 ||
                   history_drift(db, run, &out->found, &out->count, err) < 0)
               ? -1
               : 0;
}

/* What the runs that were begun since then found. */
static int show(const char *directory, const char *store, const struct words *targets, int64_t after,
                bool json, struct error *err)
{
    AUTO_SQL *db = NULL;
    if (history_open(store, &db, err) < 0)
        return -1;
    AUTO_FREE struct drift_target *found = xcalloc(targets->count, sizeof *found);
    int status = 0;
    for (size_t i = 0; i < targets->count && status == 0; i++) {
        found[i].target = targets->items[i];
        status = load(db, after, &found[i], err);
    }
    if (status == 0 && (json ? drift_view_print_json(found, targets->count)
                             : drift_view_print(found, targets->count, directory)) < 0)
        status = error_system(err, errno, "cannot write what was found");
    for (size_t i = 0; i < targets->count; i++) {
        history_run_free(found[i].run);
        history_drift_free(found[i].found, found[i].count);
    }
    return status;
}

static int look(const struct command_context *context, struct project *project, const struct words *targets,
                int jobs, bool json)
{
    static const char *const all_phases[] = {NULL}, *const arguments[] = {"--check", "--diff", NULL};
    AUTO_FREE char *state = layout_state(project->directory), *store = layout_store(state);
    AUTO_ERROR err = ERROR_INIT;
    int64_t before;
    if (newest(store, &before, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    struct launch what = {.kind = "drift",
                          .project = project,
                          .project_directory = project->directory,
                          .targets = words_argv(targets),
                          .phases = all_phases,
                          .arguments = arguments,
                          .sets = context->sets,
                          .jobs = jobs,
                          .check_idempotent = true}; /* what would change is the exit code 1 */
    int code = launch(&what);
    if (show(project->directory, store, targets, before, json, &err) == 0)
        return code;
    help_problem("%s", error_text(&err));
    return exit_code_worse(code, exit_code_of(&err));
}

static const struct option options[] = {{"jobs", required_argument, NULL, 'j'},
                                        {"json", no_argument, NULL, 'J'},
                                        {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    int jobs = 1;
    bool json = false;
    AUTO_ERROR err = ERROR_INIT;
    optind = 0;
    for (int option; (option = options_next(context->command, argc, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        json |= option == 'J';
        if (option == 'j' && number_parse_int(optarg, 1, JOBS_MOST, &jobs, &err) < 0) {
            help_problem("--jobs %s", error_text(&err));
            return exit_code_of(&err);
        }
    }
    AUTO_PROJECT *project = NULL;
    int opened = project_access_open(context, NULL, &project, NULL);
    if (opened != EXIT_OK)
        return opened;
    AUTO_WORDS targets = WORDS_INIT;
    AUTO_FREE char *state = layout_state(project->directory), *store = layout_store(state);
    for (int i = optind; i < argc; i++)
        if (!words_have(&targets, argv[i]))
            words_add(&targets, argv[i]);
    if (!targets.count && choose_made(project, store, &targets, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    if (targets.count)
        return look(context, project, &targets, jobs, json);
    help_note("nothing is made of this project's targets");
    return !json || drift_view_print_json(NULL, 0) == 0 ? EXIT_OK : EXIT_INTERNAL;
}

const struct command command_drift = {
    .help = {"drift", "[TARGET...] [--jobs N] [--json]", "what the phases would change, without changing it"},
    .options = options,
    .letters = "j:",
    .hands_on = true,
    .run = call,
};
