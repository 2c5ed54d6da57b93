#include "config/project.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/fault.h"
#include "config/settings.h"

#include <string.h>

static void target_clear(struct target *target)
{
    free(target->name);
    free(target->provider);
    free(target->recipe);
    words_clear(&target->transports);
    words_clear(&target->auto_transports);
    words_clear(&target->tun_transports);
    words_clear(&target->auto_tun_transports);
    free(target->address);
    free(target->user);
    free(target->key);
    free(target->jump);
    words_clear(&target->ssh_options);
    free(target->ssh_args);
    free(target->ssh_common_args);
    free(target->ssh_extra_args);
    json_free(target->host_variables);
    free(target->unanswered);
    words_clear(&target->refused);
    words_clear(&target->noted);
    words_clear(&target->host_keys);
    free(target->host_key_file);
    free(target->python);
    free(target->host_name);
    words_clear(&target->groups);
    words_clear(&target->peers);
    node_free(target->vars);
    for (size_t i = 0; i < target->secret_count; i++)
        secret_clear(&target->secrets[i]);
    free(target->secrets);
    for (size_t i = 0; i < target->vault_password_count; i++)
        secret_clear(&target->vault_passwords[i]);
    free(target->vault_passwords);
    secret_clear(&target->become_password);
    secret_clear(&target->key_passphrase);
    words_clear(&target->env);
    free(target->root);
    words_clear(&target->make);
    words_clear(&target->verify);
    words_clear(&target->remove);
    words_clear(&target->list);
    cloud_settings_clear(&target->cloud);
    ready_steps_free(target->ready, target->ready_count);
    health_settings_clear(&target->health);
    free(target->tailscale_socket);
    free(target->control_server);
    tailnet_login_clear(&target->tailnet);
}

void target_free(struct target *target)
{
    if (target)
        target_clear(target);
    free(target);
}

static void phases_free(struct phase *phases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct phase *phase = &phases[i];
        free(phase->name);
        free(phase->playbook);
        words_clear(&phase->retry_on);
        words_clear(&phase->transports);
        for (size_t j = 0; j < phase->require_count; j++) {
            free(phase->requires[j].program);
            free(phase->requires[j].package_file);
            free(phase->requires[j].install);
        }
        free(phase->requires);
        words_clear(&phase->args);
        node_free(phase->vars);
    }
    free(phases);
}

void project_free(struct project *project)
{
    if (!project)
        return;
    for (size_t i = 0; i < project->target_count; i++)
        target_clear(&project->targets[i]);
    free(project->targets);
    for (size_t i = 0; i < project->elsewhere_count; i++)
        target_clear(&project->elsewhere[i]);
    free(project->elsewhere);
    for (size_t i = 0; i < project->recipe_count; i++) {
        struct recipe *recipe = &project->recipes[i];
        free(recipe->name);
        free(recipe->path);
        phases_free(recipe->phases, recipe->phase_count);
        phases_free(recipe->teardown, recipe->teardown_count);
        phases_free(recipe->bootstrap, recipe->bootstrap ? 1 : 0);
    }
    free(project->recipes);
    free(project->directory);
    free(project->name);
    words_clear(&project->inventory);
    free(project->ansible);
    free(project->programs);
    operator_settings_clear(&project->operator_settings);
    words_clear(&project->warnings);
    settings_free(project->layers);
    free(project);
}

void project_cleanup(struct project **project)
{
    project_free(*project);
    *project = NULL;
}

const struct target *project_target(const struct project *project, const char *name, struct error *err)
{
    AUTO_WORDS names = WORDS_INIT;
    for (size_t i = 0; i < project->target_count; i++) {
        if (text_is(project->targets[i].name, name))
            return &project->targets[i];
        words_add(&names, project->targets[i].name);
    }
    AUTO_FREE char *shown = text_shown(name), *instead = fault_instead(name, words_argv(&names));
    error_set(err, ERROR_USAGE, "there is no target '%s' in %s/triphase.yml%s", shown, project->directory,
              names.count ? instead : ", which names none");
    return NULL;
}

const struct words *project_transports(const struct target *target, const struct phase *phase)
{
    if (phase && phase->transports.count)
        return &phase->transports;
    if (phase && phase->needs_tun)
        return phase->transport_auto ? &target->auto_tun_transports : &target->tun_transports;
    return phase && phase->transport_auto ? &target->auto_transports : &target->transports;
}

enum accelerate project_accelerate(const struct target *target, const struct phase *phase)
{
    return phase->accelerate_own ? phase->accelerate : target->accelerate;
}

/* Each of the target's secrets by its index; NULL behind the last. */
static const struct secret *secret_at(const struct target *target, size_t index)
{
    if (index < target->secret_count)
        return &target->secrets[index];
    index -= target->secret_count;
    if (index < target->vault_password_count)
        return &target->vault_passwords[index];
    index -= target->vault_password_count;
    const struct secret *const single[] = {&target->become_password, &target->key_passphrase,
                                           &target->cloud.token};
    if (index < COUNT_OF(single))
        return single[index];
    return tailnet_login_secret(&target->tailnet, index - COUNT_OF(single), NULL);
}

/* NULL for the first, which is the operator. */
static const struct target *owner_of_secrets(const struct project *project, size_t owner)
{
    return owner == 0                       ? NULL
           : owner <= project->target_count ? &project->targets[owner - 1]
                                            : &project->elsewhere[owner - 1 - project->target_count];
}

/* Each of the project's: the operator's, then those of the targets, also as they would be at the provider
 * that they were switched away from; NULL behind the last. */
static const struct secret *next_secret(const struct project *project, size_t *owner, size_t *index)
{
    for (; *owner <= project->target_count + project->elsewhere_count; ++*owner, *index = 0) {
        const struct target *target = owner_of_secrets(project, *owner);
        const struct secret *secret =
            target ? secret_at(target, *index)
                   : tailnet_login_secret(&project->operator_settings.login, *index, NULL);
        ++*index;
        if (secret)
            return secret;
    }
    return NULL;
}

void project_secret_variables(const struct project *project, void (*use)(const char *name))
{
    const struct secret *secret;
    for (size_t owner = 0, index = 0; (secret = next_secret(project, &owner, &index));)
        if (secret->kind == SECRET_ENV)
            use(secret->where);
}

bool project_reads(const struct project *project, int fd)
{
    const struct secret *secret;
    for (size_t owner = 0, index = 0; project && (secret = next_secret(project, &owner, &index));)
        if (secret->kind == SECRET_FD && secret->fd == fd)
            return true;
    return false;
}

bool project_has_name(const struct project *project, const char *text)
{
    for (size_t i = 0; i < project->target_count; i++) {
        const struct target *target = &project->targets[i];
        AUTO_FREE char *of_recipe = xasprintf("recipe_%s", target->recipe);
        if (text_is(target->name, text) || text_is(target->host_name, text) ||
            text_is(target->recipe, text) || text_is(of_recipe, text) || words_have(&target->groups, text))
            return true;
    }
    return false;
}

const struct recipe *project_recipe(const struct project *project, const char *name)
{
    for (size_t i = 0; i < project->recipe_count; i++)
        if (text_is(project->recipes[i].name, name))
            return &project->recipes[i];
    return NULL;
}
