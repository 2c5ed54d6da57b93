#include "command/known_target.h"

#include "base/memory.h"
#include "base/text.h"
#include "command/project_access.h"
#include "config/fault.h"
#include "store/history.h"
#include "view/help.h"

int known_targets(const struct command_context *context, const char *store, bool warn, struct words *out,
                  struct error *err)
{
    AUTO_PROJECT *project = NULL;
    AUTO_SQL *db = NULL;
    AUTO_ERROR wrong = ERROR_INIT;
    if (project_access_load(context, NULL, &project, NULL, &wrong) < 0 && warn)
        help_note("warning: %s", error_text(&wrong));
    for (size_t i = 0; project && i < project->target_count; i++)
        words_add(out, project->targets[i].name);
    if (history_find(store, &db, err) < 0 || (db && history_targets(db, out, err) < 0))
        return -1;
    words_sort_unique(out);
    return 0;
}

int known_target(const struct words *known, const char *name, struct error *err)
{
    if (words_have(known, name))
        return 0;
    AUTO_FREE char *shown = text_shown(name), *instead = fault_instead(name, words_argv(known));
    return error_set(err, ERROR_USAGE, "there is no target '%s', and never was%s", shown, instead);
}
