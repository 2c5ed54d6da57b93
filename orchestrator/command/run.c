/* triphase run TARGET [PHASE...]: phases on a made target. */
#include "base/memory.h"
#include "base/text.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/launch.h"
#include "command/options.h"
#include "command/project_access.h"
#include "config/fault.h"
#include "view/help.h"

/* Names the recipe's phases where one of the asked ones is none of them. */
static int check_phases(const struct project *project, const struct target *target, const char *const *phases)
{
    const struct recipe *recipe = project_recipe(project, target->recipe);
    for (; *phases; phases++) {
        bool found = false;
        AUTO_WORDS names = WORDS_INIT;
        for (size_t i = 0; i < recipe->phase_count; i++) {
            found |= text_is(recipe->phases[i].name, *phases);
            words_add(&names, recipe->phases[i].name);
        }
        if (found)
            continue;
        AUTO_FREE char *shown = text_shown(*phases), *instead = fault_instead(*phases, words_argv(&names));
        if (project_target(project, *phases, NULL))
            help_problem(
                "run takes one target, and phases behind it; '%s' is another target: 'triphase create %s %s'"
                " acts on both",
                *phases, target->name, *phases);
        else
            help_problem("the recipe '%s' has no phase '%s'%s", recipe->name, shown, instead);
        return -1;
    }
    return 0;
}

/* The phases that only look. */
static int choose_verify(const struct project *project, const struct target *target, struct words *phases)
{
    const struct recipe *recipe = project_recipe(project, target->recipe);
    if (phases->count) {
        help_problem("--verify runs the phases of 'verify'; name phases or give --verify, not both");
        return -1;
    }
    for (size_t i = 0; i < recipe->phase_count; i++)
        if (recipe->phases[i].only_looks)
            words_add(phases, recipe->phases[i].name);
    if (phases->count)
        return 0;
    help_problem("the recipe '%s' has no phases that only look: 'verify' in phases/%s.yml is a list of them",
                 recipe->name, recipe->name);
    return -1;
}

static const struct option options[] = {{"check-idempotent", no_argument, NULL, 'i'},
                                        {"verify", no_argument, NULL, 'v'},
                                        {"detach", no_argument, NULL, 'd'},
                                        {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    int dashes = options_dashes(argc, argv);
    bool check_idempotent = false, verify = false, detach = false;
    optind = 0;
    for (int option; (option = options_next(context->command, dashes, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        check_idempotent |= option == 'i';
        verify |= option == 'v';
        detach |= option == 'd';
    }
    if (optind == dashes) {
        help_problem("run needs a target: triphase run TARGET [PHASE...]");
        return EXIT_BAD_USAGE;
    }
    AUTO_PROJECT *project = NULL;
    const struct target *target = NULL;
    int opened = project_access_open(context, argv[optind], &project, &target);
    if (opened != EXIT_OK)
        return opened;
    AUTO_WORDS phases = WORDS_INIT;
    for (int i = optind + 1; i < dashes; i++)
        words_add(&phases, argv[i]);
    if (check_phases(project, target, words_argv(&phases)) < 0 ||
        (verify && choose_verify(project, target, &phases) < 0))
        return EXIT_BAD_USAGE;
    const char *const targets[] = {target->name, NULL};
    struct launch what = {.kind = "run",
                          .project = project,
                          .project_directory = project->directory,
                          .targets = targets,
                          .phases = words_argv(&phases),
                          .arguments = dashes < argc ? (const char *const *)argv + dashes + 1 : NULL,
                          .sets = context->sets,
                          .jobs = 1,
                          .check_idempotent = check_idempotent,
                          .detach = detach};
    return launch(&what);
}

const struct command command_run = {
    .help = {"run", "TARGET [PHASE...|--verify] [--check-idempotent] [--detach] [-- ANSIBLE ARGUMENTS]",
             "run phases on a made target"},
    .options = options,
    .hands_on = true,
    .run = call,
};
