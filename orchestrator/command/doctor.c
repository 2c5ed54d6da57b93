/* triphase doctor: what this machine has and lacks, with what mends it. */
#include "preflight/doctor.h"
#include "base/memory.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/options.h"
#include "command/project_access.h"
#include "config/config.h"
#include "view/doctor_view.h"
#include "view/help.h"

static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    bool json = false;
    optind = 0;
    for (int option; (option = options_next(context->command, argc, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        json = true;
    }
    if (optind < argc) {
        help_problem("doctor takes no argument '%s'", argv[optind]);
        return EXIT_BAD_USAGE;
    }
    AUTO_PROJECT *project = NULL;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *directory = config_find_directory(context->directory, &err);
    if (!directory && err.kind != ERROR_PROJECT)
        help_note("warning: %s", error_text(&err));
    /* A project with faults says nothing about the machine. */
    if (directory && project_access_load(context, NULL, &project, NULL, &err) < 0)
        help_note("warning: the project here cannot be read, its settings are left out: %s",
                  error_text(&err));
    AUTO_FACTS facts = {NULL, 0};
    bool sandbox = doctor_look(project, &facts);
    if ((json ? doctor_view_print_json(&facts, sandbox) : doctor_view_print(&facts, sandbox)) < 0)
        return EXIT_INTERNAL;
    return sandbox ? EXIT_OK : EXIT_MISSING;
}

const struct command command_doctor = {
    .help = {"doctor", "[--json]", "what this machine has and lacks, and what mends it"},
    .options = options,
    .run = call,
};
