/* triphase diagnose TARGET: the matrix over each transport, and what follows from it. In the foreground:
 * whatever it starts is in a scope that ends with it. */
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "command/command.h"
#include "command/diagnose_compare.h"
#include "command/diagnose_take.h"
#include "command/exit_code.h"
#include "command/options.h"
#include "command/project_access.h"
#include "command/transport_names.h"
#include "view/diagnose_view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct request {
    struct diagnose_wish wish;
    bool json, compare;
    const char *names[2];
    size_t name_count;
};

static const struct option options[] = {{"transport", required_argument, NULL, 't'},
                                        {"quick", no_argument, NULL, 'q'},
                                        {"full", no_argument, NULL, 'f'},
                                        {"allow-changes", no_argument, NULL, 'a'},
                                        {"threshold", no_argument, NULL, 'T'},
                                        {"resume", no_argument, NULL, 'r'},
                                        {"compare", no_argument, NULL, 'c'},
                                        {"json", no_argument, NULL, 'j'},
                                        {0}};

static int check(const struct request *request, int names)
{
    const struct diagnose_wish *wish = &request->wish;
    bool takes = wish->size != MATRIX_USUAL || wish->changes || wish->threshold || wish->resume ||
                 wish->transports.count;
    if (request->compare ? names == 2 && !takes : names == 1)
        return EXIT_OK;
    help_problem(request->compare ? "--compare takes two diagnoses and nothing else: diagnose --compare A B"
                                  : "diagnose takes one target");
    return EXIT_BAD_USAGE;
}

static int parse(const struct command *command, int argc, char **argv, struct request *out)
{
    optind = 0;
    out->wish.size = MATRIX_USUAL;
    for (int option; (option = options_next(command, argc, argv)) != -1;) {
        if (option == '?' || (option == 't' && transport_names_add(optarg, &out->wish.transports) != EXIT_OK))
            return EXIT_BAD_USAGE;
        if ((option == 'q' || option == 'f') && out->wish.size != MATRIX_USUAL) {
            help_problem("--quick or --full, not both");
            return EXIT_BAD_USAGE;
        }
        out->wish.size = option == 'q' ? MATRIX_QUICK : option == 'f' ? MATRIX_FULL : out->wish.size;
        out->wish.changes |= option == 'a';
        out->wish.threshold |= option == 'T';
        out->wish.resume |= option == 'r';
        out->compare |= option == 'c';
        out->json |= option == 'j';
    }
    for (int i = optind; i < argc && out->name_count < 2; i++)
        out->names[out->name_count++] = argv[i];
    return check(out, argc - optind);
}

static int print(const struct diagnosis *diagnosis, bool json, struct error *err)
{
    AUTO_TEXT out = TEXT_INIT;
    struct table_look look = table_look_of(STDOUT_FILENO);
    if (json) {
        AUTO_JSON *object = diagnosis_json(diagnosis);
        AUTO_FREE char *text = json_pretty(object);
        text_addf(&out, "%s\n", text);
    } else {
        diagnose_view(diagnosis, &look, &out);
    }
    return table_print(&out) < 0 ? error_system(err, errno, "cannot write the diagnosis") : 0;
}

static int code_of(const struct conclusion *said)
{
    return !said->reached                                ? EXIT_UNREACHABLE
           : text_is(said->findings[0].variable, "none") ? EXIT_OK
                                                         : EXIT_FOUND;
}

static int diagnose(struct command_context *context, const struct request *request)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_PROJECT *project = NULL;
    AUTO_DIAGNOSIS diagnosis = {.duration_ns = -1};
    const struct target *target = NULL;
    int opened = project_access_open(context, request->names[0], &project, &target);
    if (opened != EXIT_OK)
        return opened;
    /* Paths in ssh's arguments start there, as for a run. */
    if (chdir(project->directory) < 0)
        error_system(&err, errno, "cannot go to the project's folder %s", project->directory);
    else if (diagnose_take(project, target, &request->wish, &diagnosis, &err) == 0)
        (void)print(&diagnosis, request->json, &err);
    if (err.kind != ERROR_NONE) {
        help_problem("%s: %s", target->name, error_text(&err));
        return exit_code_of(&err);
    }
    return code_of(&diagnosis.said);
}

static int call(struct command_context *context, int argc, char **argv)
{
    struct request request = {0};
    int code = parse(context->command, argc, argv, &request);
    if (code == EXIT_OK)
        code = request.compare ? diagnose_compare(context, request.names[0], request.names[1], request.json)
                               : diagnose(context, &request);
    words_clear(&request.wish.transports);
    return code;
}

const struct command command_diagnose = {
    .help =
        {"diagnose",
         "TARGET [--transport NAME,…] [--quick|--full] [--allow-changes] [--threshold] [--resume] [--json]"
         " | --compare A B [--json]",
         "the matrix that finds what breaks the way to a host: one thing at a time, over each transport"},
    .options = options,
    .run = call,
};
