#include "config/operator_load.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/environment.h"
#include "config/invoker.h"
#include "config/settings.h"
#include "config/tailnet_keys.h"
#include "config/user_file.h"

#include <errno.h>
#include <unistd.h>

static int from_project(const struct config_sources *sources, struct operator_settings *out, char **directory,
                        struct words *warnings, struct error *err)
{
    AUTO_PROJECT *project = NULL;
    if (config_load(sources, &project, err) < 0)
        return -1;
    *out = project->operator_settings;
    project->operator_settings = (struct operator_settings){0};
    for (size_t i = 0; i < project->target_count; i++)
        out->socks5 |= project->targets[i].health.url.host && project->targets[i].health.via == HEALTH_PROXY;
    *directory = xstrdup(project->directory);
    words_add_list(warnings, words_argv(&project->warnings));
    return 0;
}

/* Without a project there are no paths but these, and others are of some project. */
static void only_operators(const char *const *list, const char *prefix, struct words *out)
{
    for (; list && *list; list++)
        if (text_starts(*list, prefix))
            words_add(out, *list);
}

static int refuse(const struct words *faults, const struct words *set_faults, struct error *err)
{
    AUTO_TEXT message = TEXT_INIT;
    const struct words *lists[] = {faults, set_faults};
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            text_addf(&message, "%s%s", message.length ? "\n" : "", lists[i]->items[j]);
    return error_set(err, faults->count ? ERROR_PROJECT : ERROR_USAGE, "%s", text_string(&message));
}

static int without_project(const struct config_sources *sources, const char *directory,
                           struct operator_settings *out, struct words *warnings, struct error *err)
{
    AUTO_INVOKER invoker = {.home = NULL};
    AUTO_WORDS environment = WORDS_INIT, sets = WORDS_INIT, faults = WORDS_INIT, set_faults = WORDS_INIT;
    AUTO_SETTINGS_VIEW view = {0};
    struct spots spots = {0};
    struct settings *layers = settings_new();
    invoker_find(sources->environment, &invoker);
    only_operators(sources->environment, "TRIPHASE_OPERATOR", &environment);
    only_operators(sources->sets, "operator", &sets);
    spots_add(&spots, SCOPE_PROJECT, "%s", "");
    user_file_read(layers, &invoker, sources->environment, sources->user_file, NULL, warnings);
    environment_add(layers, &spots, false, words_argv(&environment), &faults);
    environment_add_sets(layers, &spots, false, words_argv(&sets), &set_faults);
    settings_of_project(layers, &view);
    tailnet_keys_operator(&view, directory, &invoker, &faults, out);
    int result = faults.count || set_faults.count ? refuse(&faults, &set_faults, err) : 0;
    if (result < 0)
        operator_settings_clear(out);
    spots_clear(&spots);
    settings_view_clear(&view);
    settings_free(layers);
    return result;
}

int operator_load(const struct config_sources *sources, struct operator_settings *out, char **directory,
                  struct words *warnings, struct error *err)
{
    AUTO_ERROR why = ERROR_INIT;
    struct operator_settings found = {0};
    AUTO_FREE char *project = config_find_directory(sources->start, &why);
    if (!project && (sources->start || why.kind != ERROR_PROJECT)) {
        error_move(err, &why);
        return -1;
    }
    if (project)
        return from_project(sources, out, directory, warnings, err);
    AUTO_FREE char *here = getcwd(NULL, 0);
    if (!here)
        return error_system(err, errno, "cannot tell the current folder");
    if (without_project(sources, here, &found, warnings, err) < 0)
        return -1;
    *out = found;
    *directory = TAKE(here);
    return 0;
}
