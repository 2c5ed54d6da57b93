/* triphase destroy TARGET...|--all: acts on what was made, not on what the files say now. */
#include "base/memory.h"
#include "base/text.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/launch.h"
#include "command/options.h"
#include "command/project_access.h"
#include "config/layout.h"
#include "store/history.h"
#include "view/help.h"

#include <unistd.h>

static int made_targets(const char *directory, struct words *out, struct error *err)
{
    AUTO_FREE char *state = layout_state(directory), *store = layout_store(state);
    AUTO_SQL *db = NULL;
    AUTO_WORDS names = WORDS_INIT;
    if (history_find(store, &db, err) < 0 || (db && history_targets(db, &names, err) < 0))
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        AUTO_MACHINE *machine = NULL;
        if (history_machine(db, names.items[i], &machine, err) < 0)
            return -1;
        if (machine)
            words_add(out, names.items[i]);
    }
    return 0;
}

static const struct option options[] = {
    {"all", no_argument, NULL, 'a'},        {"yes", no_argument, NULL, 'y'},
    {"keep-state", no_argument, NULL, 'k'}, {"no-teardown", no_argument, NULL, 't'},
    {"detach", no_argument, NULL, 'd'},     {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    bool all = false, yes = false, keep_state = false, no_teardown = false, detach = false;
    optind = 0;
    for (int option; (option = options_next(context->command, argc, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        all |= option == 'a';
        yes |= option == 'y';
        keep_state |= option == 'k';
        no_teardown |= option == 't';
        detach |= option == 'd';
    }
    if (all == (optind < argc)) {
        help_problem("destroy needs targets, or --all");
        return EXIT_BAD_USAGE;
    }
    AUTO_ERROR err = ERROR_INIT;
    AUTO_PROJECT *project = NULL;
    AUTO_FREE char *directory = NULL;
    if (project_access_load(context, NULL, &project, NULL, &err) < 0) {
        directory = config_find_directory(context->directory, NULL);
        if (!directory) {
            help_problem("%s", error_text(&err));
            return exit_code_of(&err);
        }
        help_note("warning: the project's files cannot be used (%s); what was made is removed all the same, "
                  "without teardown phases",
                  error_text(&err));
    } else {
        directory = xstrdup(project->directory);
    }
    AUTO_WORDS targets = WORDS_INIT;
    error_clear(&err);
    if (all && made_targets(directory, &targets, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    for (int i = optind; i < argc; i++)
        words_add(&targets, argv[i]);
    if (!targets.count) {
        help_note("nothing is there");
        return EXIT_OK;
    }
    if (detach && !launch_may_detach(targets.count, 1))
        return EXIT_BAD_USAGE;
    AUTO_TEXT list = TEXT_INIT;
    for (size_t i = 0; i < targets.count; i++) {
        const struct target *target = project ? project_target(project, targets.items[i], NULL) : NULL;
        if (target && target->protected) {
            help_problem("%s is protected; set 'protected: false' for it to destroy it", target->name);
            return EXIT_PROJECT;
        }
        text_addf(&list, "%s%s", i ? ", " : "", targets.items[i]);
    }
    if (!yes && !help_ask("Destroy %s?", text_string(&list))) {
        help_problem("nothing was destroyed%s",
                     isatty(STDIN_FILENO) ? "" : ": without a terminal it needs --yes");
        return isatty(STDIN_FILENO) ? EXIT_CANCELLED : EXIT_BAD_USAGE;
    }
    static const char *const no_phases[] = {NULL};
    struct launch what = {.kind = "destroy",
                          .project = project,
                          .project_directory = directory,
                          .targets = words_argv(&targets),
                          .phases = no_phases,
                          .sets = context->sets,
                          .jobs = 1,
                          .keep_state = keep_state,
                          .no_teardown = no_teardown,
                          .detach = detach};
    return launch(&what);
}

const struct command command_destroy = {
    .help = {"destroy", "TARGET...|--all [--yes] [--keep-state] [--no-teardown] [--detach]",
             "remove what was made and verify its absence"},
    .options = options,
    .letters = "y",
    .run = call,
};
