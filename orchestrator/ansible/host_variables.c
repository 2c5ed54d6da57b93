#include "ansible/host_variables.h"

#include "ansible/child.h"
#include "ansible/connection_check.h"
#include "ansible/environment.h"
#include "ansible/inventory.h"
#include "ansible/memory.h"
#include "ansible/questions.h"
#include "ansible/vault_passwords.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/number.h"
#include "base/text.h"
#include "config/ansible_layer.h"
#include "config/connection_variables.h"
#include "config/invoker.h"
#include "config/layout.h"
#include "config/provider_facts.h"

#include <string.h>
#include <unistd.h>

/* One host to ask for. */
struct asking {
    struct project *project;
    struct target *target;
    const char *const *environment;
    struct ansible_settings settings;
    struct words folders; /* of its playbooks, absolute: group_vars beside them count too */
    char *skeleton;       /* its host with groups and variables, without anything of triphase's */
    char *path;           /* of the file that holds it */
    int64_t until;        /* of the monotonic clock */
};

static void asking_end(struct asking *asking)
{
    if (asking->path)
        (void)unlink(asking->path);
    free(asking->path);
    free(asking->skeleton);
    words_free(&asking->folders);
    ansible_settings_free(&asking->settings);
}

/* ------------------------------------------------------------ asking */

static bool has_variables(const char *folder)
{
    AUTO_FREE char *groups = file_join(folder, "group_vars"), *hosts = file_join(folder, "host_vars");
    return file_exists(groups) || file_exists(hosts);
}

/* Whether anything of the user's own could say something of the host. */
static bool is_worth_asking(const struct asking *asking)
{
    bool worth = asking->project->inventory.count > 0;
    for (size_t i = 0; i < asking->folders.count; i++)
        worth = worth || has_variables(asking->folders.items[i]);
    return worth;
}

static void find_folders(struct asking *asking, struct words *playbooks)
{
    const struct recipe *recipe = project_recipe(asking->project, asking->target->recipe);
    for (size_t i = 0; i < recipe->phase_count + recipe->teardown_count; i++) {
        const struct phase *phase =
            i < recipe->phase_count ? &recipe->phases[i] : &recipe->teardown[i - recipe->phase_count];
        AUTO_FREE char *path = file_join(asking->project->directory, phase->playbook);
        AUTO_FREE char *folder = file_parent(path);
        if (!words_have(&asking->folders, folder))
            words_add(&asking->folders, folder);
        if (!words_have(playbooks, phase->playbook))
            words_add(playbooks, phase->playbook);
    }
}

/* false: it cannot be rendered, which a plan says better. */
static bool make_skeleton(struct asking *asking)
{
    static const char template[] = "all:\n  hosts:\n    ${host}: {}\n";
    AUTO_MACHINE *machine = machine_new();
    AUTO_SSH_ARGUMENTS none = SSH_ARGUMENTS_INIT;
    none.text = xstrdup("");
    struct inventory_request request = {.project = asking->project,
                                        .host = {asking->target, machine, TRANSPORT_DIRECT, &none, NULL},
                                        .template_bytes = template,
                                        .template_length = strlen(template),
                                        .template_name = "built in"};
    return inventory_render(&request, &asking->skeleton, NULL, NULL) == 0;
}

static int write_skeleton(struct asking *asking)
{
    AUTO_FREE char *state = layout_state(asking->project->directory);
    AUTO_FREE char *folder = file_join(state, "plans");
    AUTO_FREE char *path = xasprintf("%s/asking-%d-%s.yml", folder, (int)getpid(), asking->target->name);
    if (layout_make(state, NULL) < 0 || file_make_dirs(folder, 0700, NULL) < 0 ||
        file_replace(path, asking->skeleton, strlen(asking->skeleton), 0600, NULL) < 0)
        return -1;
    asking->path = TAKE(path);
    return 0;
}

static int begin_question(const struct asking *asking, const char *program, const char *folder,
                          struct question *out)
{
    struct words *argv = &out->child.argv;
    ansible_environment(asking->target, &asking->settings, asking->environment, &out->child.environment);
    words_set_env(&out->child.environment, "ANSIBLE_NOCOLOR", "1");
    words_add(argv, program);
    for (size_t i = 0; i < asking->project->inventory.count; i++) {
        words_add(argv, "-i");
        words_own(argv, file_join(asking->project->directory, asking->project->inventory.items[i]));
    }
    words_add_all(argv, "-i", asking->path, "--playbook-dir", folder, NULL);
    return vault_passwords_add(asking->project, asking->target, &out->child, NULL);
}

/* Whether only Ansible can tell what it comes to. */
static bool is_open(const struct json *value)
{
    AUTO_FREE char *text = connection_value(value);
    return strstr(text, "{{") || strstr(text, "{%") || json_get(value, "__ansible_vault");
}

static bool is_wanted(const char *name)
{
    const struct connection_variable *variable = connection_variable_find(name);
    return variable && connection_variable_is_fixed(variable);
}

/* Templates among the values are filled in by Ansible's own debug, which contacts nobody. What cannot be filled in stays as it is. */
static void fill_in(const struct asking *asking, const char *folder, struct json *values)
{
    AUTO_JSON *names = json_new_object();
    void *at = NULL;
    const char *name;
    for (struct json *value; json_each(values, &at, &name, &value);) {
        AUTO_FREE char *expression = xasprintf("{{ hostvars[inventory_hostname]['%s'] }}", name);
        if (is_open(value))
            json_set_string(names, name, expression);
    }
    AUTO_FREE char *program = json_count(names) ? ansible_find_beside(asking->project, "ansible") : NULL;
    if (!program)
        return;
    AUTO_JSON *arguments = json_new_object();
    json_set(arguments, "msg", json_keep(names));
    AUTO_FREE char *text = json_compact(arguments);
    struct question question = {0};
    if (begin_question(asking, program, folder, &question) == 0) {
        words_set_env(&question.child.environment, "ANSIBLE_LOAD_CALLBACK_PLUGINS", "0");
        words_add_all(&question.child.argv, "-c", "local", "-m", "ansible.builtin.debug", "-a", text,
                      asking->target->host_name, NULL);
        questions_ask(&question, 1, asking->project->directory, asking->until);
        const char *answer = strstr(text_string(&question.out), "SUCCESS => {");
        AUTO_JSON *said = answer ? json_parse(answer + 11, strlen(answer + 11), NULL) : NULL;
        const struct json *filled = json_get(said, "msg");
        at = NULL;
        for (struct json *value; json_is_object(filled) && json_each(filled, &at, &name, &value);) {
            AUTO_FREE char *plain = connection_value(value);
            json_set_string(values, name, plain);
        }
    }
    question_free(&question);
}

/* Of everything that Ansible says of the host: the connection variables as texts, of secrets only that they are there. */
static struct json *pick(const struct asking *asking, const char *folder, const struct json *all)
{
    struct json *values = json_new_object();
    void *at = NULL;
    const char *name;
    for (struct json *value; json_each(all, &at, &name, &value);) {
        const struct connection_variable *variable = connection_variable_find(name);
        AUTO_FREE char *text = connection_value(value);
        if (text_is(name, "ansible_python_interpreter") || text_is(name, "ansible_async_dir") ||
            is_wanted(name))
            json_set(values, name, is_open(value) ? json_keep(value) : json_new_string(text));
        else if (variable && variable->role == CONNECTION_SECRET)
            json_set_string(values, name, "(secret)");
    }
    fill_in(asking, folder, values);
    return values;
}

/* [{variables seen from each folder of playbooks}], malloc'ed. What is wrong with the inventories, or with a vault password, a
 * plan finds by itself, with its place. */
static struct json *ask(struct asking *asking)
{
    AUTO_FREE char *program = ansible_find_beside(asking->project, "ansible-inventory");
    if (!program)
        return json_new_array();
    size_t count = asking->folders.count;
    struct question *questions = xcalloc(count, sizeof *questions);
    AUTO_JSON *answers = json_new_array();
    int result = write_skeleton(asking);
    for (size_t i = 0; result == 0 && i < count; i++) {
        result = begin_question(asking, program, asking->folders.items[i], &questions[i]);
        words_add_all(&questions[i].child.argv, "--host", asking->target->host_name, NULL);
    }
    if (result == 0)
        questions_ask(questions, count, asking->project->directory, asking->until);
    for (size_t i = 0; i < count; i++) {
        AUTO_JSON *all = result < 0 || questions[i].failure
                             ? NULL
                             : json_parse(text_string(&questions[i].out), questions[i].out.length, NULL);
        if (json_is_object(all))
            json_append(answers, pick(asking, asking->folders.items[i], all));
        if (questions[i].failure && !asking->target->unanswered)
            asking->target->unanswered = question_failure(&questions[i]);
        question_free(&questions[i]);
    }
    free(questions);
    return TAKE(answers);
}

/* Asks, unless nothing changed since it was asked last. */
static struct json *answers_of(struct asking *asking, const struct words *playbooks)
{
    AUTO_FREE char *state = layout_state(asking->project->directory);
    AUTO_FREE char *text = xasprintf("variables\n%s", asking->skeleton);
    AUTO_FREE char *version = ansible_version(asking->project->ansible, NULL);
    struct plan_inputs inputs = {.project = asking->project,
                                 .target = asking->target,
                                 .recipe = project_recipe(asking->project, asking->target->recipe),
                                 .playbooks = playbooks,
                                 .settings = &asking->settings,
                                 .environment = asking->environment,
                                 .inventory = text,
                                 .version = version};
    char digest[DIGEST_TEXT];
    bool known = plan_digest(&inputs, digest);
    struct json *answers = known ? plan_recall(state, digest) : NULL;
    if (answers)
        return answers;
    answers = ask(asking);
    if (known && json_count(answers) == asking->folders.count)
        plan_remember(state, digest, answers);
    return answers;
}

/* ------------------------------------------------------------ using the answers */

static void refuse(struct asking *asking, const char *variable, const char *value, const char *key,
                   const char *ours, const char *origin)
{
    const struct target *target = asking->target;
    AUTO_FREE char *file = connection_likely_file(asking->project, target->host_name, variable);
    AUTO_FREE char *shown = text_shown(value);
    words_addf(
        &asking->target->refused,
        "variable %s of host %s is '%s'%s%s, and the target's key '%s' says '%s' (%s): take one of them out",
        variable, target->host_name, shown, file ? ", probably set in " : "", file ? file : "", key, ours,
        origin);
}

static void note(struct asking *asking, const char *variable, const char *what)
{
    AUTO_FREE char *file = connection_likely_file(asking->project, asking->target->host_name, variable);
    words_addf(&asking->target->noted, "variable %s of host %s%s%s %s", variable, asking->target->host_name,
               file ? ", probably set in " : "", file ? file : "", what);
}

/* The value and the name that it stands under: of two spellings Ansible takes the older one. */
static const char *value_of(const struct asking *asking, const char *name, const char *older,
                            const char **under)
{
    const struct json *values = asking->target->host_variables;
    const char *value = older ? json_get_string(values, older, NULL) : NULL;
    *under = value && *value ? older : name;
    if (!value || !*value)
        value = json_get_string(values, name, NULL);
    return value && *value ? value : NULL;
}

/* Whether a key of triphase's own stands beside the variable; refuses where it says something else. */
static bool is_kept_by_key(struct asking *asking, const char *variable, const char *value, const char *key,
                           const char *counts)
{
    const char *origin = NULL;
    if (!ansible_layer_over(asking->project->layers, asking->target->name, key, &origin) || !counts)
        return false;
    if (!text_is(value, counts))
        refuse(asking, variable, value, key, counts, origin);
    return true;
}

static bool is_template(struct asking *asking, const char *variable, const char *value)
{
    if (!strstr(value, "{{") && !strstr(value, "{%"))
        return false;
    words_addf(
        &asking->target->refused,
        "variable %s of host %s is a template that cannot be filled in before a run (%s): say it plainly",
        variable, asking->target->host_name, value);
    return true;
}

static void replace(char **at, const char *value)
{
    char *fresh = xstrdup(value);
    free(*at);
    *at = fresh;
}

static void use_user(struct asking *asking)
{
    struct target *target = asking->target;
    const char *name, *value = value_of(asking, "ansible_user", "ansible_ssh_user", &name);
    if (value && !is_template(asking, name, value) &&
        !is_kept_by_key(asking, name, value, "user", target->user)) {
        replace(&target->user, value);
        target->user_is_ansibles = true;
    }
}

static void use_port(struct asking *asking)
{
    struct target *target = asking->target;
    const char *name, *value = value_of(asking, "ansible_port", "ansible_ssh_port", &name);
    AUTO_FREE char *ours = xasprintf("%d", target->port);
    if (!value || is_template(asking, name, value) || is_kept_by_key(asking, name, value, "port", ours))
        return;
    AUTO_ERROR why = ERROR_INIT;
    if (number_parse_int(value, 1, UINT16_MAX, &target->port, &why) == 0)
        target->port_is_ansibles = true;
    else
        words_addf(&target->refused, "variable %s of host %s %s", name, target->host_name, error_text(&why));
}

static void use_key(struct asking *asking)
{
    struct target *target = asking->target;
    const char *name,
        *value = value_of(asking, "ansible_private_key_file", "ansible_ssh_private_key_file", &name);
    if (!value || is_template(asking, name, value))
        return;
    if (provider_facts(target->provider)->own_key) {
        note(asking, name, "is not used for a sandbox, which has a key of its own");
        return;
    }
    AUTO_INVOKER invoker = {.home = NULL};
    invoker_find(asking->environment, &invoker);
    AUTO_FREE char *expanded = invoker_expand(&invoker, value);
    AUTO_FREE char *path = file_join(asking->project->directory, expanded);
    AUTO_FREE char *ours = target->key ? file_join(asking->project->directory, target->key) : NULL;
    if (!is_kept_by_key(asking, name, path, "key", ours)) {
        replace(&target->key, path);
        target->key_is_ansibles = true;
    }
}

static void use_interpreter(struct asking *asking)
{
    struct target *target = asking->target;
    const char *name, *value = value_of(asking, "ansible_python_interpreter", NULL, &name);
    if (!value || text_starts(value, "auto") || is_kept_by_key(asking, name, value, "python", target->python))
        return;
    /* It is Ansible's to read, templates and all: rendered, it would stand above what plays say. */
    target->python_is_ansibles = true;
    free(TAKE(target->python));
}

static void use_arguments(struct asking *asking)
{
    struct target *target = asking->target;
    const struct {
        const char *name;
        char **at;
    } all[] = {{"ansible_ssh_args", &target->ssh_args},
               {"ansible_ssh_common_args", &target->ssh_common_args},
               {"ansible_ssh_extra_args", &target->ssh_extra_args}};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        const char *name, *value = value_of(asking, all[i].name, NULL, &name);
        if (value && !is_template(asking, name, value))
            replace(all[i].at, value);
    }
}

static void look_at_place(struct asking *asking)
{
    struct target *target = asking->target;
    const char *name, *value = value_of(asking, "ansible_host", "ansible_ssh_host", &name);
    if (value && provider_facts(target->provider)->local)
        note(asking, name, "is not used for a sandbox, which has an address of its own");
    else if (value)
        (void)is_kept_by_key(asking, name, value, "address", target->address);
    value = value_of(asking, "ansible_connection", NULL, &name);
    if (value && !text_is(value, "ssh") && !text_is(value, "smart") && !text_is(value, "ansible.builtin.ssh"))
        refuse(asking, name, value, "transport", "ssh", "a target is reached by ssh alone");
    static const char *const programs[] = {"ssh", "scp", "sftp"};
    for (size_t i = 0; i < COUNT_OF(programs); i++) {
        AUTO_FREE char *variable = xasprintf("ansible_%s_executable", programs[i]);
        AUTO_FREE char *end = xasprintf("/%s", programs[i]);
        value = value_of(asking, variable, NULL, &name);
        if (value && !text_is(value, programs[i]) && !text_ends(value, end))
            refuse(asking, name, value, "transport", programs[i],
                   "triphase opens the connection itself, with the program in PATH");
    }
}

static void look_at_rest(struct asking *asking)
{
    static const char *const sockets[] = {"ansible_control_path", "ansible_control_path_dir"};
    static const char *const checks[] = {"ansible_host_key_checking", "ansible_ssh_host_key_checking"};
    const char *name;
    for (size_t i = 0; i < COUNT_OF(sockets); i++)
        if (value_of(asking, sockets[i], NULL, &name))
            note(asking, name,
                 "has no effect: the sockets of a run's connections lie in a folder of its own");
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        const char *value = value_of(asking, checks[i], NULL, &name);
        if (value && (text_is(value, "false") || text_is(value, "no") || text_is(value, "False")))
            note(asking, name, "has no effect: the target's host_keys say which keys are taken");
    }
    for (size_t i = 0; i < connection_variable_count; i++)
        /* Of passwords a plan says so by itself. */
        if (connection_variables[i].role == CONNECTION_SECRET &&
            strstr(connection_variables[i].name, "private_key") &&
            value_of(asking, connection_variables[i].name, NULL, &name))
            note(asking, name, "is not used: triphase logs in by the target's 'key' (and 'key_passphrase')");
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
static void merge(struct asking *asking, const struct json *answers)
{
    struct target *target = asking->target;
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
                     int64_t until)
{
    struct asking asking = {.project = project, .target = target, .environment = environment, .until = until};
    AUTO_WORDS playbooks = WORDS_INIT;
    AUTO_JSON *answers = NULL;
    find_folders(&asking, &playbooks);
    if (project->ansible_found && !is_worth_asking(&asking))
        target->host_variables = json_new_object();
    else if (project->ansible_found && make_skeleton(&asking) &&
             ansible_settings_read(project->directory, environment, &asking.settings, NULL) == 0)
        answers = answers_of(&asking, &playbooks);
    if (json_count(answers) == asking.folders.count) {
        merge(&asking, answers);
        use_user(&asking);
        use_port(&asking);
        use_key(&asking);
        use_interpreter(&asking);
        use_arguments(&asking);
        look_at_place(&asking);
        look_at_rest(&asking);
    }
    asking_end(&asking);
}

void host_variables_fill(struct project *project, const char *name, const char *const *environment)
{
    if (!environment)
        environment = (const char *const *)environ;
    struct target *named = NULL;
    int64_t began = moment_monotonic();
    for (size_t i = 0; !named && i < project->target_count; i++)
        named = text_is(project->targets[i].name, name) ? &project->targets[i] : NULL;
    for (size_t i = 0; named && i < project->target_count; i++) {
        struct target *target = &project->targets[i];
        bool wanted = target == named || words_have(&named->peers, target->name);
        if (wanted && !target->host_variables && !target->unanswered && !named->unanswered)
            fill_one(project, target, environment, began + QUESTIONS_BOUND);
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
        if (is_wanted(name) && !text_is(theirs, ours))
            return true;
    }
    return !target->host_variables;
}

void host_variables_apply(const struct target *target, struct machine *machine)
{
    if (!machine_was_there(machine) || !provider_facts(target->provider)->existing)
        return;
    if (target->user_is_ansibles)
        replace(&machine->user, target->user);
    if (target->port_is_ansibles)
        machine->port = target->port;
    if (target->key_is_ansibles)
        replace(&machine->key, target->key);
}
