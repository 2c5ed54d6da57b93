#include "command/config_change.h"

#include "base/memory.h"
#include "base/text.h"
#include "command/exit_code.h"
#include "config/change.h"
#include "config/programs.h"
#include "view/config_view.h"

#include <unistd.h>

int config_change_call(struct command_context *context, const struct config_change_call *call, int count,
                       char **words)
{
    if (count != (call->set ? 2 : 1)) {
        help_problem(call->set
                         ? "config set takes a path and a value, like: triphase config set "
                           "targets.web.deadline 90m"
                         : "config unset takes one path, like: triphase config unset targets.web.deadline");
        return EXIT_BAD_USAGE;
    }
    AUTO_FREE char *program = programs_own();
    struct config_sources sources = {.start = context->directory,
                                     .environment = (const char *const *)environ,
                                     .sets = context->sets,
                                     .program = program};
    struct config_change change = {
        .path = words[0], .value = call->set ? words[1] : NULL, .user = call->user, .dry = call->dry};
    AUTO_CONFIG_CHANGED changed = {.file = NULL};
    AUTO_ERROR err = ERROR_INIT;
    if (config_change(&sources, &change, &changed, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    if ((call->json ? config_view_print_change_json : config_view_print_change)(&change, &changed) < 0) {
        help_problem("cannot write to standard output");
        return EXIT_INTERNAL;
    }
    if (call->dry && changed.changes)
        help_note("nothing was written (--dry-run)");
    for (size_t i = 0; i < changed.counts.count; i++)
        help_note("%s: %s", call->set ? "note: what counts is another layer's" : "what counts now",
                  changed.counts.items[i]);
    return EXIT_OK;
}
