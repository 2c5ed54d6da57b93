#include "ansible/child.h"

#include "ansible/environment.h"
#include "ansible/forced_variables.h"
#include "ansible/mitogen.h"
#include "ansible/secrets.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/marks.h"
#include "format/yaml.h"

#include <string.h>
#include <unistd.h>

enum {
    PENDING_IN_ENVIRONMENT = 16384
}; /* more goes through a file: one string of an environment holds 128 KiB */

/* argv. */

static int add_program(const struct ansible_request *request, struct ansible_child *out, struct error *err)
{
    (void)err;
    words_add(&out->argv, request->project->ansible);
    return 0;
}

static int add_inventories(const struct ansible_request *request, struct ansible_child *out,
                           struct error *err)
{
    const struct project *project = request->project;
    (void)err;
    for (size_t i = 0; i < project->inventory.count; i++) {
        words_add(&out->argv, "-i");
        words_own(&out->argv, file_join(project->directory, project->inventory.items[i]));
    }
    words_add_all(&out->argv, "-i", request->inventory, NULL);
    return 0;
}

/* `yaml` NULL: it could not be made. */
static int add_variables(const struct ansible_request *request, const char *suffix, const char *yaml,
                         struct ansible_child *out, struct error *err)
{
    const char *path = yaml ? ansible_child_write(request, suffix, yaml, 0600, out, err) : NULL;
    if (!path)
        return -1;
    words_add(&out->argv, "-e");
    words_addf(&out->argv, "@%s", path);
    return 0;
}

static int add_phase_variables(const struct ansible_request *request, struct ansible_child *out,
                               struct error *err)
{
    if (!request->phase->vars)
        return 0;
    struct yaml_writer *writer = yaml_writer_new();
    yaml_node(writer, request->phase->vars);
    AUTO_FREE char *yaml = yaml_writer_finish(writer, err);
    yaml_writer_free(writer);
    return add_variables(request, "phase.yml", yaml, out, err);
}

static int add_arguments(const struct ansible_request *request, struct ansible_child *out, struct error *err)
{
    (void)err;
    words_add_list(&out->argv, words_argv(&request->phase->args));
    if (request->arguments)
        words_add_list(&out->argv, words_argv(&request->arguments->words));
    return 0;
}

static int add_vault_passwords(const struct ansible_request *request, struct ansible_child *out,
                               struct error *err)
{
    return secrets_add_vault_passwords(request->project, request->target, out->known[0], out, err);
}

static int add_forced_variables(const struct ansible_request *request, struct ansible_child *out,
                                struct error *err)
{
    AUTO_FREE char *yaml = forced_variables(request, err);
    return add_variables(request, "vars.yml", yaml, out, err);
}

static int add_playbook(const struct ansible_request *request, struct ansible_child *out, struct error *err)
{
    const char *playbook = request->phase->playbook;
    (void)err;
    words_addf(&out->argv, "%s%s", playbook[0] == '-' ? "./" : "", playbook);
    return 0;
}

/* Environment. */

/* What Ansible reads while it is imported: nothing in it is known to one step alone. */
static void add_common_environment(const struct ansible_request *request,
                                   const struct ansible_settings *settings, struct words *environment)
{
    ansible_environment(request->target, settings, request->environment, environment);
    ansible_environment_add_ssh(settings, request->phase->limits.host_silent_ns, request->control_directory,
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
    if (request->mitogen)
        words_set_env(environment, "TRIPHASE_MITOGEN", mitogen_folder(request->environment));
    marks_environment(environment, request->run, 0);
    if (request->no_pipelining && !settings->of[SETTING_PIPELINING].value)
        words_set_env(environment, "ANSIBLE_PIPELINING", "False");
}

int ansible_child_environment_ahead(const struct ansible_request *request, struct words *out,
                                    struct error *err)
{
    struct ansible_settings settings = {0};
    if (ansible_settings_read(request->project->directory, request->environment, &settings, err) < 0)
        return -1;
    add_common_environment(request, &settings, out);
    ansible_settings_clear(&settings);
    return 0;
}

static int add_environment(const struct ansible_request *request, struct ansible_child *out,
                           struct error *err)
{
    if (ansible_child_environment_ahead(request, &out->environment, err) < 0)
        return -1;
    marks_environment(&out->environment, request->run, request->seq);
    words_set_env(&out->environment, "TRIPHASE_EVENTS", request->events);
    return 0;
}

static int add_pending_handlers(const struct ansible_request *request, struct ansible_child *out,
                                struct error *err)
{
    const char *value = request->pending_handlers;
    if (value && strlen(value) > PENDING_IN_ENVIRONMENT) {
        value = ansible_child_write(request, "handlers.json", value, 0600, out, err);
        if (!value)
            return -1;
    }
    if (value)
        words_set_env(&out->environment, "TRIPHASE_PENDING_HANDLERS", value);
    return 0;
}

static int add_expectation(const struct ansible_request *request, struct ansible_child *out,
                           struct error *err)
{
    if (!request->expect)
        return 0;
    AUTO_FREE char *text = json_compact(request->expect);
    const char *path = ansible_child_write(request, "expect.json", text, 0600, out, err);
    if (!path)
        return -1;
    words_set_env(&out->environment, "TRIPHASE_EXPECT", path);
    if (!request->phase->beyond_allowed)
        words_set_env(&out->environment, "TRIPHASE_BEYOND", "refuse");
    return 0;
}

/* All of a child. In argv the later one counts where two say the same. */
static int (*const parts[])(const struct ansible_request *, struct ansible_child *, struct error *) = {
    add_environment,     add_pending_handlers,  add_expectation,     add_program,
    add_inventories,     secrets_add_variables, add_phase_variables, add_arguments,
    add_vault_passwords, add_forced_variables,  add_playbook,        secrets_close,
};

int ansible_child_prepare(const struct ansible_request *request, struct ansible_child *out, struct error *err)
{
    struct ansible_child made = {.known = {-1, -1, -1}};
    int result = secrets_open(&made, err);
    for (size_t i = 0; result == 0 && i < COUNT_OF(parts); i++)
        result = parts[i](request, &made, err);
    if (result < 0) {
        for (size_t i = 0; i < made.files.count; i++)
            (void)unlink(made.files.items[i]);
        ansible_child_clear(&made);
        return -1;
    }
    *out = made;
    return 0;
}
