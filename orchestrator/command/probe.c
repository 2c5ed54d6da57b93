/* triphase probe TARGET [--json] [--transport NAME,…]: every way to the host side by side. */
#include "diagnose/probe.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/options.h"
#include "command/project_access.h"
#include "command/transport_names.h"
#include "control/reach.h"
#include "view/help.h"
#include "view/probe_view.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int find_all(struct project *project, const struct target *target, const struct words *names,
                    struct reach *reaches, struct error *err)
{
    AUTO_WORDS said = WORDS_INIT;
    struct deadline contact = deadline_in(target->transport_ns);
    int status = 0;
    for (size_t i = 0; i < names->count && status == 0; i++)
        status = reach_find(project, target, names->items[i], &contact, &said, &reaches[i], err);
    words_sort_unique(&said);
    help_notes(&said);
    return status;
}

static int probe(struct project *project, const struct target *target, const struct words *names,
                 bool as_json, struct error *err)
{
    AUTO_FREE struct reach *reaches = xcalloc(names->count, sizeof *reaches);
    AUTO_JSON *report = NULL;
    int code = EXIT_OK, status = find_all(project, target, names, reaches, err);
    /* Paths in ssh's arguments start there, as for a run. */
    if (status == 0 && chdir(project->directory) < 0)
        status = error_system(err, errno, "cannot go to the project's folder %s", project->directory);
    if (status == 0)
        status = probe_run(reaches, names->count, &report, err);
    if (status == 0) {
        code = probe_has_usable(report) ? EXIT_OK : EXIT_UNREACHABLE;
        if ((as_json ? probe_view_print_json(report) : probe_view_print(report)) < 0) {
            help_problem("cannot write to standard output");
            code = EXIT_INTERNAL;
        }
    }
    for (size_t i = 0; i < names->count; i++)
        reach_clear(&reaches[i]);
    return status < 0 ? exit_code_of(err) : code;
}

static void add_all(struct words *names)
{
    for (int kind = 0; kind < TRANSPORT_KINDS; kind++)
        words_add(names, transport_name((enum transport_kind)kind));
}

static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                        {"transport", required_argument, NULL, 't'},
                                        {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    bool as_json = false;
    AUTO_WORDS names = WORDS_INIT;
    optind = 0;
    for (int option; (option = options_next(context->command, argc, argv)) != -1;) {
        if (option == '?' || (option == 't' && transport_names_add(optarg, &names) != EXIT_OK))
            return EXIT_BAD_USAGE;
        as_json = as_json || option == 'j';
    }
    if (argc - optind != 1) {
        help_problem("probe takes one target: triphase probe TARGET");
        return EXIT_BAD_USAGE;
    }
    if (!names.count)
        add_all(&names);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_PROJECT *project = NULL;
    const struct target *target = NULL;
    int code = project_access_open(context, argv[optind], &project, &target);
    if (code != EXIT_OK)
        return code;
    code = probe(project, target, &names, as_json, &err);
    if (err.kind != ERROR_NONE)
        help_problem("%s", error_text(&err));
    return code;
}

const struct command command_probe = {
    .help = {"probe", "TARGET [--transport NAME,…] [--json]",
             "every way to the host side by side, with figures"},
    .options = options,
    .run = call,
};
