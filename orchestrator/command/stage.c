/* Hidden: `triphase stage NAME REQUEST_FD RESULT_FD`, started by a worker. Whatever happens is in the result;
 * the exit code only says whether it was written. */
#include "stage/stage.h"
#include "base/number.h"
#include "base/text.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/project_access.h"
#include "stage/handover.h"
#include "stage/look.h"
#include "view/help.h"

#include <fcntl.h>
#include <limits.h>

static int call(struct command_context *context, int argc, char **argv)
{
    int request_fd, result_fd;
    if (argc != 4 || number_parse_int(argv[2], 0, INT_MAX, &request_fd, NULL) < 0 ||
        number_parse_int(argv[3], 0, INT_MAX, &result_fd, NULL) < 0) {
        help_problem("'stage' is started by triphase itself");
        return EXIT_BAD_USAGE;
    }
    fcntl(request_fd, F_SETFD, FD_CLOEXEC);
    fcntl(result_fd, F_SETFD, FD_CLOEXEC);
    AUTO_JSON *request = handover_read(request_fd);
    if (text_is(argv[1], "look")) {
        stage_look(request, result_fd);
        return EXIT_OK;
    }
    AUTO_JSON *result = NULL;
    AUTO_PROJECT *project = NULL;
    AUTO_ERROR err = ERROR_INIT;
    const char *name = json_get_string(request, "target", NULL);
    const struct target *target = NULL;
    bool destroy = text_is(argv[1], "destroy");
    int status = 0;
    if (!destroy || json_get_bool(request, "project_readable")) {
        /* A target that the files no longer name is destroyed all the same. */
        status = project_access_load(context, NULL, &project, NULL, &err);
        target = project && name ? project_target(project, name, destroy ? NULL : &err) : NULL;
        if (!target && !destroy)
            status = -1;
        if (target)
            handover_take_targets(project, request);
    }
    if (status == 0 || destroy)
        status = stage_run(argv[1], project, target, request, &result, &err);
    if (!result)
        result = json_new_object();
    if (status < 0) {
        struct json *problem = json_new_object();
        json_set_integer(problem, "kind", err.kind);
        json_set_string(problem, "message", error_text(&err));
        json_set(result, "error", problem);
        help_problem("%s", error_text(&err)); /* into the step's log */
    }
    return handover_write(result_fd, result, NULL) < 0 ? EXIT_INTERNAL : EXIT_OK;
}

const struct command command_stage = {
    .help = {"stage", NULL, NULL},
    .run = call,
};
