/* triphase config [TARGET]: each effective value, its origin and what it hides; config set, config unset. */
#include "config/config.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/command.h"
#include "command/config_change.h"
#include "command/exit_code.h"
#include "command/options.h"
#include "command/project_access.h"
#include "config/layout.h"
#include "provider/made_look.h"
#include "store/history.h"
#include "view/config_view.h"
#include "view/help.h"

#include <errno.h>

/* What was made of the targets that are told of, where it is otherwise. A store that cannot be read keeps
 * nobody from the settings. */
static size_t compare(const struct project *project, const struct target *only, struct config_made *out)
{
    AUTO_FREE char *state = layout_state(project->directory), *store = layout_store(state);
    size_t count = 0;
    for (size_t i = 0; i < project->target_count; i++) {
        const struct target *target = &project->targets[i];
        AUTO_MACHINE *machine = NULL;
        AUTO_ERROR err = ERROR_INIT;
        if (only && target != only)
            continue;
        if (history_made(store, target->name, &machine, &err) < 0)
            help_note("warning: what was made cannot be looked at: %s", error_text(&err));
        if (!machine)
            continue;
        out[count].target = target->name;
        made_look(project, target, machine, &out[count++].made, NULL);
    }
    return count;
}

static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                        {"user", no_argument, NULL, 'u'},
                                        {"project", no_argument, NULL, 'p'},
                                        {"dry-run", no_argument, NULL, 'd'},
                                        {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    bool json = false, dry = false, user = false, in_project = false;
    optind = 0;
    for (int option; (option = options_next(context->command, argc, argv)) != -1;) {
        if (option == 'j')
            json = true;
        else if (option == 'u')
            user = true;
        else if (option == 'p')
            in_project = true;
        else if (option == 'd')
            dry = true;
        else
            return EXIT_BAD_USAGE;
    }
    bool changes = argc - optind > 1 && (text_is(argv[optind], "set") || text_is(argv[optind], "unset"));
    if (user && in_project) {
        help_problem("config takes --user or --project, not both");
        return EXIT_BAD_USAGE;
    }
    if (changes) {
        struct config_change_call call = {
            .set = text_is(argv[optind], "set"), .user = user, .dry = dry, .json = json};
        return config_change_call(context, &call, argc - optind - 1, argv + optind + 1);
    }
    if (user || in_project || dry) {
        help_problem("--user, --project and --dry-run are for 'triphase config set PATH VALUE' and 'config "
                     "unset PATH'");
        return EXIT_BAD_USAGE;
    }
    if (argc - optind > 1) {
        help_problem("config takes one target at most; 'triphase config' prints all");
        return EXIT_BAD_USAGE;
    }
    AUTO_PROJECT *project = NULL;
    const struct target *target = NULL;
    int opened = project_access_open(context, optind < argc ? argv[optind] : NULL, &project, &target);
    if (opened != EXIT_OK)
        return opened;
    struct config_made *differs = xcalloc(project->target_count, sizeof *differs);
    size_t count = compare(project, target, differs);
    int printed = json ? config_view_print_json(project, target, differs, count)
                       : config_view_print(project, target, differs, count);
    int why = errno;
    for (size_t i = 0; i < count; i++)
        made_clear(&differs[i].made);
    free(differs);
    if (printed < 0) {
        if (why == EPIPE) /* a reader that has seen enough */
            return EXIT_OK;
        help_problem("cannot write to standard output");
        return EXIT_INTERNAL;
    }
    return EXIT_OK;
}

const struct command command_config = {
    .help = {"config", "[TARGET] [--json] | set [--user|--project] [--dry-run] PATH VALUE | unset ... PATH",
             "each effective value, its origin and what it hides; writes one into its file"},
    .options = options,
    .run = call,
};
