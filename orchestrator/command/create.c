/* triphase create [TARGET...]: a machine is made (or the made one verified) and all phases are run. */
#include "base/memory.h"
#include "base/number.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/launch.h"
#include "command/options.h"
#include "command/project_access.h"
#include "config/layout.h"
#include "store/history.h"
#include "store/store.h"
#include "view/help.h"

#include <unistd.h>

enum { JOBS_MOST = 64 };

/* Where none is named: all but those that are protected and made. `made` gets those among
 * them that are there already. */
static int choose_all(const struct project *project, struct words *out, struct words *made, struct error *err)
{
    AUTO_FREE char *state = layout_state(project->directory), *store = layout_store(state);
    if (layout_make(state, err) < 0 || store_prepare(store, err) < 0)
        return -1;
    for (size_t i = 0; i < project->target_count; i++) {
        const struct target *target = &project->targets[i];
        AUTO_MACHINE *machine = NULL;
        if (history_made(store, target->name, &machine, err) < 0)
            return -1;
        if (machine && target->protected) {
            help_note("%s is protected and made: left out; 'triphase create %s' acts on it", target->name,
                      target->name);
            continue;
        }
        words_add(out, target->name);
        if (machine)
            words_add(made, target->name);
    }
    return 0;
}

/* Several hosts that work already are not converged by a slip of the hand. */
static bool may_act(const struct words *made)
{
    if (made->count < 2 || !isatty(STDIN_FILENO))
        return true;
    AUTO_FREE char *list = words_join(made, ", ");
    if (help_ask("%s are made already: run all their phases on them?", list))
        return true;
    help_problem("nothing was done; name the targets that are meant");
    return false;
}

static const struct option options[] = {{"jobs", required_argument, NULL, 'j'},
                                        {"detach", no_argument, NULL, 'd'},
                                        {"yes", no_argument, NULL, 'y'},
                                        {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    int dashes = options_dashes(argc, argv), jobs = 1;
    bool detach = false, yes = false;
    optind = 0;
    for (int option; (option = options_next(context->command, dashes, argv)) != -1;) {
        if (option == 'j') {
            AUTO_ERROR why = ERROR_INIT;
            if (number_parse_int(optarg, 1, JOBS_MOST, &jobs, &why) < 0) {
                help_problem("--jobs %s", error_text(&why));
                return exit_code_of(&why);
            }
        } else if (option == 'd') {
            detach = true;
        } else if (option == 'y') {
            yes = true;
        } else {
            return EXIT_BAD_USAGE;
        }
    }
    AUTO_PROJECT *project = NULL;
    int opened = project_access_open(context, NULL, &project, NULL);
    if (opened != EXIT_OK)
        return opened;
    if (!project->target_count) {
        help_problem("there is no target to make: name one under 'targets:' in triphase.yml");
        return EXIT_PROJECT;
    }
    AUTO_WORDS targets = WORDS_INIT, made = WORDS_INIT;
    AUTO_ERROR err = ERROR_INIT;
    for (int i = optind; i < dashes; i++)
        words_add(&targets, argv[i]);
    if (!targets.count && choose_all(project, &targets, &made, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    if (!targets.count) {
        help_note("nothing is left to do");
        return EXIT_OK;
    }
    if (!yes && !may_act(&made))
        return EXIT_CANCELLED;
    if (detach && !launch_may_detach(targets.count, jobs))
        return EXIT_BAD_USAGE;
    static const char *const all_phases[] = {NULL};
    struct launch what = {.kind = "create",
                          .project = project,
                          .project_directory = project->directory,
                          .targets = words_argv(&targets),
                          .phases = all_phases,
                          .arguments = dashes < argc ? (const char *const *)argv + dashes + 1 : NULL,
                          .sets = context->sets,
                          .jobs = jobs,
                          .detach = detach};
    return launch(&what);
}

const struct command command_create = {
    .help = {"create", "[TARGET...] [--jobs N] [--detach] [--yes] [-- ANSIBLE ARGUMENTS]",
             "make hosts and run their phases"},
    .options = options,
    .letters = "j:y",
    .hands_on = true,
    .run = call,
};
