#include "ansible/child.h"

#include "ansible/environment.h"
#include "ansible/forced_variables.h"
#include "ansible/secrets.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/yaml.h"

#include <string.h>
#include <unistd.h>

enum {
    PENDING_IN_ENVIRONMENT = 16384
}; /* more goes through a file: one string of an environment holds 128 KiB */

static char *playbook_word(const struct phase *phase)
{
    return xasprintf("%s%s", phase->playbook[0] == '-' ? "./" : "", phase->playbook);
}

static int add_argv(const struct ansible_request *request, struct ansible_child *out, struct error *err)
{
    const struct project *project = request->project;
    const struct target *target = request->target;
    struct words *argv = &out->argv;
    words_add(argv, project->ansible);
    for (size_t i = 0; i < project->inventory.count; i++) {
        words_add(argv, "-i");
        words_own(argv, file_join(project->directory, project->inventory.items[i]));
    }
    words_add_all(argv, "-i", request->inventory, NULL);
    if ((target->secret_count || target->become_password.kind != SECRET_NONE) &&
        secrets_add_variables(request, out, err) < 0)
        return -1;
    const char *path = NULL;
    if (request->phase->vars) {
        struct yaml_writer *writer = yaml_writer_new();
        yaml_node(writer, request->phase->vars);
        AUTO_FREE char *yaml = yaml_writer_finish(writer, err);
        yaml_writer_free(writer);
        if (yaml)
            path = ansible_child_write(request, "phase.yml", yaml, 0600, out, err);
        if (!path)
            return -1;
        words_add(argv, "-e");
        words_addf(argv, "@%s", path);
    }
    words_add_list(argv, words_argv(&request->phase->args));
    if (request->arguments)
        words_add_list(argv, words_argv(&request->arguments->words));
    if (secrets_add_vault_passwords(project, target, out->known[0], out, err) < 0)
        return -1;
    AUTO_FREE char *forced = forced_variables(request, err);
    path = forced ? ansible_child_write(request, "vars.yml", forced, 0600, out, err) : NULL;
    if (!path)
        return -1;
    words_add(argv, "-e");
    words_addf(argv, "@%s", path);
    words_own(argv, playbook_word(request->phase));
    return 0;
}

/* What Ansible reads while it is imported: nothing in it is known to one step alone. */
static void add_common_environment(const struct ansible_request *request,
                                   const struct ansible_settings *settings, struct words *environment)
{
    ansible_environment(request->target, settings, request->environment, environment);
    ansible_add_ssh_environment(settings, request->phase->limits.host_silent_ns, request->control_directory,
                                environment);
    AUTO_FREE char *plugins = xasprintf("%s%s%s", request->callback_directory,
                                        *settings->callback_plugins ? ":" : "", settings->callback_plugins);
    words_set_env(environment, "ANSIBLE_CALLBACK_PLUGINS", plugins);
    if (request->phase->facts_cached && request->fact_cache) {
        words_set_env(environment, "ANSIBLE_GATHERING", "smart");
        words_set_env(environment, "ANSIBLE_CACHE_PLUGIN", "jsonfile");
        words_set_env(environment, "ANSIBLE_CACHE_PLUGIN_CONNECTION", request->fact_cache);
        words_set_env(environment, "ANSIBLE_CACHE_PLUGIN_TIMEOUT", "0");
    }
    words_set_env(environment, "TRIPHASE_RUN", request->run);
    if (request->no_pipelining && !settings->of[SETTING_PIPELINING].value)
        words_set_env(environment, "ANSIBLE_PIPELINING", "False");
}

static int add_environment(const struct ansible_request *request, const struct ansible_settings *settings,
                           struct ansible_child *out, struct error *err)
{
    struct words *environment = &out->environment;
    const char *path;
    add_common_environment(request, settings, environment);
    AUTO_FREE char *step = xasprintf("%s/%02d", request->run, request->seq);
    words_set_env(environment, "TRIPHASE_STEP", step);
    words_set_env(environment, "TRIPHASE_EVENTS", request->events);
    if (request->pending_handlers && strlen(request->pending_handlers) <= PENDING_IN_ENVIRONMENT) {
        words_set_env(environment, "TRIPHASE_PENDING_HANDLERS", request->pending_handlers);
    } else if (request->pending_handlers) {
        path = ansible_child_write(request, "handlers.json", request->pending_handlers, 0600, out, err);
        if (!path)
            return -1;
        words_set_env(environment, "TRIPHASE_PENDING_HANDLERS", path);
    }
    if (request->expect) {
        AUTO_FREE char *text = json_compact(request->expect);
        path = ansible_child_write(request, "expect.json", text, 0600, out, err);
        if (!path)
            return -1;
        words_set_env(environment, "TRIPHASE_EXPECT", path);
        if (!request->phase->beyond_allowed)
            words_set_env(environment, "TRIPHASE_BEYOND", "refuse");
    }
    return secrets_close(request, out, err);
}

int ansible_prepare(const struct ansible_request *request, struct ansible_child *out, struct error *err)
{
    struct ansible_child made = {.known = {-1, -1, -1}};
    struct ansible_settings settings = {0};
    if (secrets_open(&made, err) < 0)
        return -1;
    int result = ansible_settings_read(request->project->directory, request->environment, &settings, err);
    if (result == 0)
        result = add_argv(request, &made, err);
    if (result == 0)
        result = add_environment(request, &settings, &made, err);
    ansible_settings_free(&settings);
    if (result < 0) {
        for (size_t i = 0; i < made.files.count; i++)
            (void)unlink(made.files.items[i]);
        ansible_child_free(&made);
        return -1;
    }
    *out = made;
    return 0;
}

int ansible_environment_ahead(const struct ansible_request *request, struct words *out, struct error *err)
{
    struct ansible_settings settings = {0};
    if (ansible_settings_read(request->project->directory, request->environment, &settings, err) < 0)
        return -1;
    add_common_environment(request, &settings, out);
    ansible_settings_free(&settings);
    return 0;
}
