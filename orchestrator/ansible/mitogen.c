#include "ansible/mitogen.h"

#include "ansible/launcher.h"
#include "base/embedded.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/ansible_settings.h"
#include "config/invoker.h"
#include "format/json.h"
#include "playbook/scan.h"
#include "process/program.h"

#include <string.h>
#include <unistd.h>

static const int64_t ask_bound = 10 * NS_PER_S;

/* Why the interpreter of the project's Ansible has no mitogen that was tried with it; NULL: it has.
 * malloc'ed. */
static char *why_not_here(const struct project *project)
{
    AUTO_FREE char *interpreter = launcher_interpreter(project->ansible);
    const struct embedded_file *script = embedded_find("launcher/triphase_mitogen.py");
    if (!interpreter || !script)
        return xasprintf("%s is not the plain script that pip and Debian install", project->ansible);
    AUTO_TEXT out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    /* Through stdin, as what runs it for a phase lies in no folder yet. */
    const char *const argv[] = {interpreter, "-", "--ask", NULL};
    struct program program = {.argv = argv,
                              .directory = project->directory,
                              .input = (const char *)script->bytes,
                              .bound_ns = ask_bound};
    if (program_do_all(&program, &out, &err) < 0)
        return xasprintf("whether mitogen is there cannot be told: %s", error_text(&err));
    AUTO_TEXT line = TEXT_INIT;
    text_add_printable(&line, text_string(&out), strcspn(text_string(&out), "\n"));
    return text_is(text_string(&line), "yes") ? NULL : text_take(&line);
}

const char *mitogen_folder(const char *const *environment)
{
    const char *folder =
        environment_value(environment ? environment : (const char *const *)environ, "TRIPHASE_MITOGEN");
    return folder ? folder : "";
}

static bool is_carried(const char *strategy)
{
    static const char *const carried[] = {"linear", "free", "host_pinned", NULL};
    static const char *const collections[] = {"ansible.builtin.", "ansible.legacy.", ""};
    for (size_t i = 0; i < COUNT_OF(collections); i++)
        if (text_starts(strategy, collections[i]) &&
            text_is_one_of(strategy + strlen(collections[i]), carried))
            return true;
    return ansible_strategy_is_mitogen(strategy);
}

/* Under mitogen every async task fails then: it keeps their jobs in ~/.ansible_async whatever it is told. */
static char *async_directory_of(const struct target *target, const struct ansible_settings *settings)
{
    const struct ansible_setting *setting = &settings->of[SETTING_ASYNC_DIR];
    if (setting->value && *setting->value)
        return xasprintf("%s names a folder for async jobs, which mitogen does not know", setting->origin);
    if (json_get_string(target->host_variables, "ansible_async_dir", NULL))
        return xstrdup(
            "ansible_async_dir of the inventory names a folder for async jobs, which mitogen does not know");
    return NULL;
}

static char *why_not_item(const struct scan_item *item)
{
    if (item->kind == SCAN_STRATEGY && !is_carried(item->text))
        return xasprintf("%s: mitogen has no strategy %s", item->where, item->text);
    if (item->kind == SCAN_ASYNC_DIR)
        return xasprintf("%s: ansible_async_dir is set, which mitogen does not know", item->where);
    return NULL;
}

/* malloc'ed; NULL: mitogen does as they say. */
static char *why_not_settings(const struct project *project, const struct target *target)
{
    AUTO_ANSIBLE_SETTINGS settings = {0};
    AUTO_ERROR err = ERROR_INIT;
    if (ansible_settings_read(project->directory, NULL, &settings, &err) < 0)
        return xasprintf("ansible.cfg cannot be read: %s", error_text(&err));
    const struct ansible_setting *strategy = &settings.of[SETTING_STRATEGY];
    return strategy->value && *strategy->value && !is_carried(strategy->value)
               ? xasprintf("%s: mitogen has no strategy %s", strategy->origin, strategy->value)
               : async_directory_of(target, &settings);
}

static char *why_not_plays(const struct project *project, const struct phase *phase)
{
    char *why = NULL;
    struct scan scan = {0};
    scan_playbook(project, phase->playbook, &scan);
    for (size_t i = 0; i < scan.count && !why; i++)
        why = why_not_item(&scan.items[i]);
    scan_clear(&scan);
    return why;
}

void mitogen_refusals(const struct project *project, const struct target *target, struct words *out)
{
    const struct recipe *recipe = project_recipe(project, target->recipe);
    const struct {
        const struct phase *phases;
        size_t count;
    } parts[] = {{recipe->bootstrap, recipe->bootstrap ? 1 : 0},
                 {recipe->phases, recipe->phase_count},
                 {recipe->teardown, recipe->teardown_count}};
    AUTO_FREE char *all = NULL;
    bool asked = false;
    for (size_t p = 0; p < COUNT_OF(parts); p++)
        for (size_t i = 0; i < parts[p].count; i++) {
            const struct phase *phase = &parts[p].phases[i];
            if (project_accelerate(target, phase) != ACCELERATE_MITOGEN)
                continue;
            if (!asked && !(all = why_not_settings(project, target)))
                all = why_not_here(project);
            asked = true;
            AUTO_FREE char *own = all ? NULL : why_not_plays(project, phase);
            if (all || own)
                words_set_env(out, phase->name, all ? all : own);
        }
}
