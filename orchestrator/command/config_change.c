#include "command/config_change.h"

#include "base/memory.h"
#include "base/text.h"
#include "command/exit_code.h"
#include "config/change.h"
#include "config/programs.h"
#include "format/json_words.h"

#include <stdio.h>
#include <unistd.h>

static void add_json(struct json *root, const char *name, const char *value)
{
    json_set(root, name, value ? json_new_string(value) : json_new_null());
}

static char *as_json(const struct config_change *change, const struct config_changed *changed)
{
    AUTO_JSON *root = json_new_object();
    struct json *counts = json_words_array(&changed->counts);
    json_set_integer(root, "version", 1);
    json_set_string(root, "file", changed->file);
    json_set_string(root, "path", change->path);
    add_json(root, "before", changed->before);
    add_json(root, "after", changed->after);
    json_set_bool(root, "written", changed->changes && !change->dry);
    json_set(root, "counts", counts);
    return json_pretty(root);
}

static char *as_text(const struct config_change *change, const struct config_changed *changed)
{
    static const char nothing[] = "(not set)";
    const char *before = changed->before ? changed->before : nothing;
    const char *after = changed->after ? changed->after : nothing;
    AUTO_TEXT out = TEXT_INIT;
    AUTO_TEXT line = TEXT_INIT;
    if (!changed->changes)
        text_addf(&line, "%s: %s %s already; nothing was written", changed->file, change->path,
                  changed->after ? "is so" : "is not set");
    else
        text_addf(&line, "%s: %s: %s -> %s", changed->file, change->path, before, after);
    text_add_printable(&out, text_string(&line), line.length);
    for (size_t i = 0; change->dry && i < changed->lines.count; i++) {
        text_add(&out, "\n");
        text_add_printable(&out, changed->lines.items[i], strlen(changed->lines.items[i]));
    }
    return text_take(&out);
}

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
    AUTO_FREE char *told = call->json ? as_json(&change, &changed) : as_text(&change, &changed);
    if (printf("%s\n", told) < 0 || fflush(stdout) != 0) {
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
