/* triphase create [TARGET...]: a machine is made (or the made one verified) and all phases are run. */
#include "base/memory.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/launch.h"
#include "command/project_access.h"
#include "view/help.h"

#include <getopt.h>

int command_create(struct command_context *context, int argc, char **argv)
{
    static const struct option options[] = {{"jobs", required_argument, NULL, 'j'},
                                            {"detach", no_argument, NULL, 'd'},
                                            {0}};
    int dashes = launch_dashes(argc, argv), jobs = 1;
    bool detach = false;
    optind = 0;
    for (int option; (option = getopt_long(dashes, argv, "j:", options, NULL)) != -1;) {
        if (option == 'j') {
            jobs = (int)strtol(optarg, NULL, 10);
            if (jobs < 1 || jobs > 64) {
                help_problem("--jobs takes a number from 1 to 64, not '%s'", optarg);
                return EXIT_BAD_USAGE;
            }
        } else if (option == 'd') {
            detach = true;
        } else {
            return EXIT_BAD_USAGE;
        }
    }
    AUTO_PROJECT *project = NULL;
    int opened = project_access_open(context, NULL, &project, NULL);
    if (opened != EXIT_OK)
        return opened;
    AUTO_WORDS targets = WORDS_INIT;
    for (int i = optind; i < dashes; i++)
        words_add(&targets, argv[i]);
    for (size_t i = 0; optind == dashes && i < project->target_count; i++)
        words_add(&targets, project->targets[i].name);
    if (!targets.count) {
        help_problem("there is no target to make: name one under 'targets:' in triphase.yml");
        return EXIT_PROJECT;
    }
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
