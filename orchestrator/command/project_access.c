#include "command/project_access.h"

#include "base/memory.h"
#include "command/exit_code.h"
#include "config/programs.h"
#include "process/child.h"
#include "view/help.h"

#include <unistd.h>

int project_access_load(const struct command_context *context, const char *name, struct project **project,
                        const struct target **target, struct error *err)
{
    AUTO_FREE char *program = programs_own();
    struct config_sources sources = {.start = context->directory,
                                     .environment = (const char *const *)environ,
                                     .sets = context->sets,
                                     .program = program};
    AUTO_PROJECT *loaded = NULL;
    const struct target *found = NULL;
    if (config_load(&sources, &loaded, err) < 0 || (name && !(found = project_target(loaded, name, err))))
        return -1;
    project_secret_variables(loaded, child_keep_back);
    if (name)
        *target = found;
    *project = TAKE(loaded);
    return 0;
}

int project_access_open(const struct command_context *context, const char *name, struct project **project,
                        const struct target **target)
{
    AUTO_ERROR err = ERROR_INIT;
    if (project_access_load(context, name, project, target, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    for (size_t i = 0; i < (*project)->warnings.count; i++)
        help_note("warning: %s", (*project)->warnings.items[i]);
    return EXIT_OK;
}
