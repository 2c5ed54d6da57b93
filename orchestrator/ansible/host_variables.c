#include "ansible/host_variables.h"

#include "ansible/connection_check.h"
#include "ansible/host_variables_ask.h"
#include "ansible/questions.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/number.h"
#include "base/text.h"
#include "config/ansible_layer.h"
#include "config/connection_variables.h"
#include "config/invoker.h"
#include "config/provider_facts.h"

#include <string.h>
#include <unistd.h>

/* A target that is completed by what was answered. */
struct filling {
    struct project *project;
    struct target *target;
    const char *const *environment;
};

static void refuse(struct filling *filling, const char *variable, const char *value, const char *key,
                   const char *ours, const char *origin)
{
    const struct target *target = filling->target;
    AUTO_FREE char *file = connection_likely_file(filling->project, target->host_name, variable);
    AUTO_FREE char *shown = text_shown(value);
    words_addf(
        &filling->target->refused,
        "variable %s of host %s is '%s'%s%s, and the target's key '%s' says '%s' (%s): take one of them out",
        variable, target->host_name, shown, file ? ", probably set in " : "", file ? file : "", key, ours,
        origin);
}

static void note(struct filling *filling, const char *variable, const char *what)
{
    AUTO_FREE char *file = connection_likely_file(filling->project, filling->target->host_name, variable);
    words_addf(&filling->target->noted, "variable %s of host %s%s%s %s", variable, filling->target->host_name,
               file ? ", probably set in " : "", file ? file : "", what);
}

/* The provider's hosts have their own. */
static void note_own(struct filling *filling, const char *variable, const char *what)
{
    AUTO_FREE char *text =
        xasprintf("is not used for a %s, which has %s of its own", filling->target->provider, what);
    note(filling, variable, text);
}

/* The value and the name that it stands under: of two spellings Ansible takes the older one. */
static const char *value_of(const struct filling *filling, const char *name, const char *older,
                            const char **under)
{
    const struct json *values = filling->target->host_variables;
    const char *value = older ? json_get_string(values, older, NULL) : NULL;
    *under = value && *value ? older : name;
    if (!value || !*value)
        value = json_get_string(values, name, NULL);
    return value && *value ? value : NULL;
}

/* Whether a key of triphase's own stands beside the variable; refuses where it says something else. */
static bool is_kept_by_key(struct filling *filling, const char *variable, const char *value, const char *key,
                           const char *counts)
{
    const char *origin = NULL;
    if (!ansible_layer_over(filling->project->layers, filling->target->name, key, &origin) || !counts)
        return false;
    if (!text_is(value, counts))
        refuse(filling, variable, value, key, counts, origin);
    return true;
}

static bool is_template(struct filling *filling, const char *variable, const char *value)
{
    if (!strstr(value, "{{") && !strstr(value, "{%"))
        return false;
    words_addf(
        &filling->target->refused,
        "variable %s of host %s is a template that cannot be filled in before a run (%s): say it plainly",
        variable, filling->target->host_name, value);
    return true;
}

static void replace(char **at, const char *value)
{
    char *fresh = xstrdup(value);
    free(*at);
    *at = fresh;
}

static void use_user(struct filling *filling)
{
    struct target *target = filling->target;
    const char *name, *value = value_of(filling, "ansible_user", "ansible_ssh_user", &name);
    if (value && !is_template(filling, name, value) &&
        !is_kept_by_key(filling, name, value, "user", target->user)) {
        replace(&target->user, value);
        target->user_is_ansibles = true;
    }
}

static void use_port(struct filling *filling)
{
    struct target *target = filling->target;
    const char *name, *value = value_of(filling, "ansible_port", "ansible_ssh_port", &name);
    AUTO_FREE char *ours = xasprintf("%d", target->port);
    if (!value || is_template(filling, name, value) || is_kept_by_key(filling, name, value, "port", ours))
        return;
    AUTO_ERROR why = ERROR_INIT;
    if (number_parse_int(value, 1, UINT16_MAX, &target->port, &why) == 0)
        target->port_is_ansibles = true;
    else
        words_addf(&target->refused, "variable %s of host %s %s", name, target->host_name, error_text(&why));
}

static void use_key(struct filling *filling)
{
    struct target *target = filling->target;
    const char *name,
        *value = value_of(filling, "ansible_private_key_file", "ansible_ssh_private_key_file", &name);
    if (!value || is_template(filling, name, value))
        return;
    if (provider_facts(target->provider)->own_key) {
        note_own(filling, name, "a key");
        return;
    }
    AUTO_INVOKER invoker = {.home = NULL};
    invoker_find(filling->environment, &invoker);
    AUTO_FREE char *expanded = invoker_expand(&invoker, value);
    AUTO_FREE char *path = file_join(filling->project->directory, expanded);
    AUTO_FREE char *ours = target->key ? file_join(filling->project->directory, target->key) : NULL;
    if (!is_kept_by_key(filling, name, path, "key", ours)) {
        replace(&target->key, path);
        target->key_is_ansibles = true;
    }
}

static void use_interpreter(struct filling *filling)
{
    struct target *target = filling->target;
    const char *name, *value = value_of(filling, "ansible_python_interpreter", NULL, &name);
    if (!value || text_starts(value, "auto") ||
        is_kept_by_key(filling, name, value, "python", target->python))
        return;
    /* It is Ansible's to read, templates and all: rendered, it would stand above what plays say. */
    target->python_is_ansibles = true;
    free(TAKE(target->python));
}

static void use_arguments(struct filling *filling)
{
    struct target *target = filling->target;
    const struct {
        const char *name;
        char **at;
    } all[] = {{"ansible_ssh_args", &target->ssh_args},
               {"ansible_ssh_common_args", &target->ssh_common_args},
               {"ansible_ssh_extra_args", &target->ssh_extra_args}};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        const char *name, *value = value_of(filling, all[i].name, NULL, &name);
        if (value && !is_template(filling, name, value))
            replace(all[i].at, value);
    }
}

static void look_at_place(struct filling *filling)
{
    struct target *target = filling->target;
    const char *name, *value = value_of(filling, "ansible_host", "ansible_ssh_host", &name);
    if (value && provider_facts(target->provider)->local)
        note_own(filling, name, "an address");
    else if (value)
        (void)is_kept_by_key(filling, name, value, "address", target->address);
    value = value_of(filling, "ansible_connection", NULL, &name);
    if (value && !text_is(value, "ssh") && !text_is(value, "smart") && !text_is(value, "ansible.builtin.ssh"))
        refuse(filling, name, value, "transport", "ssh", "a target is reached by ssh alone");
    static const char *const programs[] = {"ssh", "scp", "sftp"};
    for (size_t i = 0; i < COUNT_OF(programs); i++) {
        AUTO_FREE char *variable = xasprintf("ansible_%s_executable", programs[i]);
        AUTO_FREE char *end = xasprintf("/%s", programs[i]);
        value = value_of(filling, variable, NULL, &name);
        if (value && !text_is(value, programs[i]) && !text_ends(value, end))
            refuse(filling, name, value, "transport", programs[i],
                   "triphase opens the connection itself, with the program in PATH");
    }
}

static void look_at_rest(struct filling *filling)
{
    static const char *const sockets[] = {"ansible_control_path", "ansible_control_path_dir"};
    static const char *const checks[] = {"ansible_host_key_checking", "ansible_ssh_host_key_checking"};
    const char *name;
    for (size_t i = 0; i < COUNT_OF(sockets); i++)
        if (value_of(filling, sockets[i], NULL, &name))
            note(filling, name,
                 "has no effect: the sockets of a run's connections lie in a folder of its own");
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        const char *value = value_of(filling, checks[i], NULL, &name);
        if (value && (text_is(value, "false") || text_is(value, "no") || text_is(value, "False")))
            note(filling, name, "has no effect: the target's host_keys say which keys are taken");
    }
    for (size_t i = 0; i < connection_variable_count; i++)
        /* Of passwords a plan says so by itself. */
        if (connection_variables[i].role == CONNECTION_SECRET &&
            strstr(connection_variables[i].name, "private_key") &&
            value_of(filling, connection_variables[i].name, NULL, &name))
            note(filling, name, "is not used: triphase logs in by the target's 'key' (and 'key_passphrase')");
}

static bool is_alike_everywhere(const struct json *answers, const char *name, const char *text)
{
    for (size_t i = 0; i < json_count(answers); i++) {
        const struct json *value = json_get(json_at(answers, i), name);
        AUTO_FREE char *its = value ? connection_value(value) : NULL;
        if (!text_is(its, text))
            return false;
    }
    return true;
}

/* One view of the host from all folders; what they see differently is refused. */
static void merge(struct target *target, const struct json *answers)
{
    json_free(target->host_variables);
    target->host_variables = json_new_object();
    for (size_t i = 0; i < json_count(answers); i++) {
        void *at = NULL;
        const char *name;
        for (struct json *value; json_each(json_at(answers, i), &at, &name, &value);) {
            AUTO_FREE char *text = connection_value(value);
            bool told = json_get(target->host_variables, name);
            if (!told && !is_alike_everywhere(answers, name, text))
                words_addf(&target->refused,
                           "variable %s of host %s is not the same beside every playbook of the recipe: set "
                           "it in one "
                           "place that all of them see",
                           name, target->host_name);
            json_set_string(target->host_variables, name, text);
        }
    }
}

static void fill_one(struct project *project, struct target *target, const char *const *environment,
                     struct deadline deadline)
{
    struct filling filling = {project, target, environment};
    AUTO_JSON *answers = NULL;
    if (!host_variables_ask(project, target, environment, deadline, &answers))
        return;
    merge(target, answers);
    use_user(&filling);
    use_port(&filling);
    use_key(&filling);
    use_interpreter(&filling);
    use_arguments(&filling);
    look_at_place(&filling);
    look_at_rest(&filling);
}

void host_variables_fill(struct project *project, const char *name, const char *const *environment)
{
    if (!environment)
        environment = (const char *const *)environ;
    struct target *named = NULL;
    int64_t began = moment_monotonic();
    struct deadline deadline = deadline_in(QUESTIONS_BOUND);
    for (size_t i = 0; !named && i < project->target_count; i++)
        named = text_is(project->targets[i].name, name) ? &project->targets[i] : NULL;
    for (size_t i = 0; named && i < project->target_count; i++) {
        struct target *target = &project->targets[i];
        bool wanted = target == named || words_have(&named->peers, target->name);
        if (wanted && !target->host_variables && !target->unanswered && !named->unanswered)
            fill_one(project, target, environment, deadline);
        if (wanted && target->unanswered && !named->unanswered)
            named->unanswered = xstrdup(target->unanswered);
    }
    if (named)
        named->asked_ns += moment_monotonic() - began;
}

bool host_variables_leave_open(const struct target *target, const struct json *rendered)
{
    void *at = NULL;
    const char *name;
    for (struct json *value; json_each(target->host_variables, &at, &name, &value);) {
        AUTO_FREE char *theirs = connection_value(value);
        AUTO_FREE char *ours = connection_value(json_get(rendered, name));
        if (connection_variable_is_fixed_by_name(name) && !text_is(theirs, ours))
            return true;
    }
    return !target->host_variables;
}
