/* triphase config [TARGET]: each effective value, its origin and what it hides. */
#include "data/config.h"
#include "base/memory.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/project_access.h"
#include "view/config_view.h"
#include "view/help.h"

#include <errno.h>
#include <getopt.h>

int command_config(struct command_context *context, int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
    bool json = false;
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option != 'j')
            return EXIT_BAD_USAGE;
        json = true;
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
    if ((json ? config_view_print_json(project, target) : config_view_print(project, target)) < 0) {
        if (errno == EPIPE) /* a reader that has seen enough */
            return EXIT_OK;
        help_problem("cannot write to standard output");
        return EXIT_INTERNAL;
    }
    return EXIT_OK;
}
