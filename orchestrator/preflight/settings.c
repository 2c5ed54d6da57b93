#include "preflight/settings.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "config/ansible_layer.h"
#include "config/provider_facts.h"
#include "config/settings.h"

#include <string.h>
#include <strings.h>

static const struct ansible_setting *is_set(const struct ansible_settings *settings, enum ansible_name name)
{
    const struct ansible_setting *setting = &settings->of[name];
    return setting->value && *setting->value ? setting : NULL;
}

static bool is_true(const char *value)
{
    static const char *const words[] = {"1", "y", "yes", "true", "t", "on"};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (!strcasecmp(words[i], value))
            return true;
    return false;
}

/* ------------------------------------------------------------ keys */

/* What a key and a setting say as one can be compared: paths from the project's folder. malloc'ed. */
static char *comparable(const struct project *project, enum ansible_name name, const char *value)
{
    return name == SETTING_PRIVATE_KEY_FILE ? file_join(project->directory, value) : xstrdup(value);
}

static void look_at_key(struct plan_report *report, const struct project *project,
                        const struct target *target, const struct ansible_settings *settings,
                        enum ansible_name name, const char *key, const char *counts)
{
    const struct ansible_setting *setting = is_set(settings, name);
    const char *origin = NULL;
    const struct node *node =
        setting ? ansible_layer_over(project->layers, target->name, key, &origin) : NULL;
    if (!node || !counts || (name == SETTING_INTERPRETER && !ansible_settings_interpreter(settings)))
        return;
    AUTO_FREE char *ours = comparable(project, name, counts);
    AUTO_FREE char *theirs = comparable(project, name, setting->value);
    AUTO_FREE char *shown = text_shown(setting->value);
    if (!text_is(ours, theirs))
        plan_find(report, ERROR_PROJECT, setting->origin,
                  "%s says '%s', and the target's key '%s' says '%s' (%s): take one of them out",
                  ansible_setting_name(name), shown, key, file_below(counts, project->directory), origin);
}

static void look_at_keys(struct plan_report *report, const struct project *project,
                         const struct target *target, const struct ansible_settings *settings)
{
    AUTO_FREE char *port = target->port ? xasprintf("%d", target->port) : NULL;
    look_at_key(report, project, target, settings, SETTING_REMOTE_USER, "user", target->user);
    look_at_key(report, project, target, settings, SETTING_REMOTE_PORT, "port", port);
    look_at_key(report, project, target, settings, SETTING_INTERPRETER, "python", target->python);
    const struct ansible_setting *key = is_set(settings, SETTING_PRIVATE_KEY_FILE);
    if (key && provider_facts(target->provider)->own_key)
        plan_find(report, ERROR_NONE, key->origin,
                  "private_key_file is not used for a %s, which has a key of its own", target->provider);
    else
        look_at_key(report, project, target, settings, SETTING_PRIVATE_KEY_FILE, "key", target->key);
}

/* ------------------------------------------------------------ arguments of ssh */

/* Options that triphase sets itself, before all others. */
static const struct {
    const char *option, *instead;
} forced[] = {{"ControlPath", "its connections are the run's own"},
              {"ControlMaster", NULL},
              {"ControlPersist", NULL},
              {"ServerAliveInterval", "the phase's host_silent says when a host is given up"},
              {"ServerAliveCountMax", "the phase's host_silent says when a host is given up"},
              {"BatchMode", NULL},
              {"StrictHostKeyChecking", "the target's host_keys say which keys are taken"},
              {"HostKeyAlias", "the target's host_keys say which keys are taken"},
              {"UserKnownHostsFile", "the target's host_keys say which keys are taken"}};

static bool names_option(const char *text, const char *option)
{
    size_t length = strlen(option);
    return !strncasecmp(text, option, length) && strchr("= \t", text[length]);
}

static void look_at_ssh_option(struct plan_report *report, const struct target *target,
                               const struct ansible_setting *setting, const char *name, const char *option)
{
    for (size_t i = 0; i < COUNT_OF(forced); i++)
        if (forced[i].instead && names_option(option, forced[i].option))
            plan_find(report, ERROR_NONE, setting->origin, "%s: %s has no effect: %s", name, forced[i].option,
                      forced[i].instead);
    if (names_option(option, "ControlMaster") && strstr(option, "no"))
        plan_find(
            report, ERROR_NONE, setting->origin,
            "%s: ControlMaster=no has no effect: the tasks of a phase share the connection that was verified",
            name);
    if (!names_option(option, "ProxyJump") && !names_option(option, "ProxyCommand"))
        return;
    if (provider_facts(target->provider)->local)
        plan_find(report, ERROR_NONE, setting->origin,
                  "%s: %.*s is not used for a %s, which is on this machine", name,
                  (int)strcspn(option, "= \t"), option, target->provider);
    else if (target->jump && !strstr(option, target->jump))
        plan_find(report, ERROR_PROJECT, setting->origin,
                  "%s says '%s', and the target's key 'jump' says '%s': take one of them out", name, option,
                  target->jump);
}

static void look_at_ssh_arguments(struct plan_report *report, const struct target *target,
                                  const struct ansible_settings *settings)
{
    static const enum ansible_name names[] = {SETTING_SSH_ARGS, SETTING_SSH_COMMON_ARGS,
                                              SETTING_SSH_EXTRA_ARGS};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct ansible_setting *setting = is_set(settings, names[i]);
        AUTO_WORDS words = WORDS_INIT;
        if (!setting || words_add_split(&words, setting->value) < 0)
            continue; /* what cannot be split is refused where the inventory is rendered */
        for (size_t w = 0; w < words.count; w++) {
            const char *word = words.items[w], *value = words.items[w + 1];
            AUTO_FREE char *jump = text_starts(word, "-J") && (word[2] || value)
                                       ? xasprintf("ProxyJump=%s", word[2] ? word + 2 : value)
                                       : NULL;
            const char *option = jump ? jump : !text_starts(word, "-o") ? NULL : word[2] ? word + 2 : value;
            if (option)
                look_at_ssh_option(report, target, setting, ansible_setting_name(names[i]), option);
            else if (text_starts(word, "-S"))
                look_at_ssh_option(report, target, setting, ansible_setting_name(names[i]), "ControlPath=");
        }
    }
}

/* ------------------------------------------------------------ what is forced */

static void look_at_forced(struct plan_report *report, const struct ansible_settings *settings)
{
    static const struct {
        enum ansible_name name;
        bool when; /* said of a value that is true, or of one that is false */
        const char *instead;
    } truths[] = {
        {SETTING_HOST_KEY_CHECKING, false,
         "it has no effect: host keys are always looked at; the target's host_keys say which are taken "
         "(accept-new "
         "takes what a host shows first)"},
        {SETTING_ASK_PASS, true, "nobody answers a supervised phase; use the target's key"},
        {SETTING_BECOME_ASK_PASS, true,
         "nobody answers a supervised phase; use the target's become_password"},
        {SETTING_ASK_VAULT_PASS, true, "nobody answers a supervised phase; use the target's vault_passwords"},
    };
    for (size_t i = 0; i < COUNT_OF(truths); i++) {
        const struct ansible_setting *setting = is_set(settings, truths[i].name);
        if (setting && is_true(setting->value) == truths[i].when)
            plan_find(report, ERROR_NONE, setting->origin, "%s = %s: %s",
                      ansible_setting_name(truths[i].name), setting->value, truths[i].instead);
    }
    static const enum ansible_name sockets[] = {SETTING_CONTROL_PATH, SETTING_CONTROL_PATH_DIR};
    for (size_t i = 0; i < COUNT_OF(sockets); i++) {
        const struct ansible_setting *setting = is_set(settings, sockets[i]);
        if (setting)
            plan_find(report, ERROR_NONE, setting->origin,
                      "%s has no effect: the sockets of a run's connections lie in a folder of its own",
                      ansible_setting_name(sockets[i]));
    }
    const struct ansible_setting *retries = is_set(settings, SETTING_RETRIES);
    if (retries && !text_is(retries->value, "0"))
        plan_find(report, ERROR_NONE, retries->origin,
                  "retries = %s has no effect: a connection that is lost ends the attempt, and the phase's "
                  "'attempts' "
                  "say how many there are",
                  retries->value);
    const struct ansible_setting *program = is_set(settings, SETTING_SSH_EXECUTABLE);
    if (program && !text_is(program->value, "ssh") && !text_ends(program->value, "/ssh"))
        plan_find(report, ERROR_PROJECT, program->origin,
                  "ssh_executable is %s, but triphase opens the connection itself, with the 'ssh' of PATH: "
                  "put that "
                  "program first in PATH under the name ssh, and take the setting out",
                  program->value);
    const struct ansible_setting *transport = is_set(settings, SETTING_TRANSPORT);
    if (transport && !text_is(transport->value, "ssh") && !text_is(transport->value, "smart"))
        plan_find(report, ERROR_PROJECT, transport->origin,
                  "transport is %s, but a target is reached by ssh alone: take the setting out",
                  transport->value);
}

/* Facts that are cached lie with the run. */
static void look_at_facts(struct plan_report *report, const struct project *project,
                          const struct target *target, const struct ansible_settings *settings)
{
    const struct recipe *recipe = project_recipe(project, target->recipe);
    const struct ansible_setting *cache = is_set(settings, SETTING_FACT_CACHING);
    for (size_t i = 0; cache && i < recipe->phase_count; i++)
        if (recipe->phases[i].facts_cached) {
            plan_find(report, ERROR_NONE, cache->origin,
                      "fact_caching has no effect in phase %s, whose 'facts: cached' keeps them with the run",
                      recipe->phases[i].name);
            return;
        }
}

static void look_at_inventory(struct plan_report *report, const struct project *project,
                              const struct ansible_settings *settings)
{
    const struct ansible_setting *setting = is_set(settings, SETTING_INVENTORY);
    AUTO_SETTINGS_VIEW view = {0};
    settings_of_project(project->layers, &view);
    if (!setting || settings_top(&view, "inventory"))
        return;
    AUTO_TEXT names = TEXT_INIT;
    for (size_t i = 0; i < project->inventory.count; i++)
        text_addf(&names, "%s%s", i ? ", " : "", project->inventory.items[i]);
    AUTO_FREE char *preset = file_join(project->directory, "inventory");
    bool left_out = file_exists(preset) && !words_have(&project->inventory, "inventory");
    plan_find(report, ERROR_NONE, setting->origin,
              "the inventory is %s%s; 'inventory: [%s]' in triphase.yml would say so for everybody",
              text_string(&names), left_out ? ", and inventory/ is left out" : "", text_string(&names));
}

void plan_settings(struct plan_report *report, const struct project *project, const struct target *target,
                   const struct ansible_settings *settings)
{
    look_at_keys(report, project, target, settings);
    look_at_ssh_arguments(report, target, settings);
    look_at_forced(report, settings);
    look_at_facts(report, project, target, settings);
    look_at_inventory(report, project, settings);
}
