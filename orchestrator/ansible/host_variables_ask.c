#include "ansible/host_variables_ask.h"

#include "ansible/connection_check.h"
#include "ansible/environment.h"
#include "ansible/inventory.h"
#include "ansible/memory.h"
#include "ansible/questions.h"
#include "ansible/vault_passwords.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/connection_variables.h"
#include "config/layout.h"

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
    struct deadline deadline;
};

static void asking_end(struct asking *asking)
{
    if (asking->path)
        (void)unlink(asking->path);
    free(asking->path);
    free(asking->skeleton);
    words_clear(&asking->folders);
    ansible_settings_clear(&asking->settings);
}

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

/* Templates among the values are filled in by Ansible's own debug, which contacts nobody. What cannot be
 * filled in stays as it is. */
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
        questions_ask(&question, 1, asking->project->directory, asking->deadline);
        const char *answer = strstr(text_string(&question.out), "SUCCESS => {");
        AUTO_JSON *said = answer ? json_parse(answer + 11, strlen(answer + 11), NULL) : NULL;
        const struct json *filled = json_get(said, "msg");
        at = NULL;
        for (struct json *value; json_is_object(filled) && json_each(filled, &at, &name, &value);) {
            AUTO_FREE char *plain = connection_value(value);
            json_set_string(values, name, plain);
        }
    }
    question_clear(&question);
}

/* Of everything that Ansible says of the host: the connection variables as texts, of secrets
 * only that they are there. */
static struct json *pick(const struct asking *asking, const char *folder, const struct json *all)
{
    struct json *values = json_new_object();
    void *at = NULL;
    const char *name;
    for (struct json *value; json_each(all, &at, &name, &value);) {
        const struct connection_variable *variable = connection_variable_find(name);
        AUTO_FREE char *text = connection_value(value);
        if (text_is(name, "ansible_python_interpreter") || text_is(name, "ansible_async_dir") ||
            connection_variable_is_fixed_by_name(name))
            json_set(values, name, is_open(value) ? json_keep(value) : json_new_string(text));
        else if (variable && variable->role == CONNECTION_SECRET)
            json_set_string(values, name, "(secret)");
    }
    fill_in(asking, folder, values);
    return values;
}

/* [{variables seen from each folder of playbooks}], malloc'ed. What is wrong with the inventories, or with a
 * vault password, a plan finds by itself, with its place. */
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
        questions_ask(questions, count, asking->project->directory, asking->deadline);
    for (size_t i = 0; i < count; i++) {
        AUTO_JSON *all = result < 0 || questions[i].failure
                             ? NULL
                             : json_parse(text_string(&questions[i].out), questions[i].out.length, NULL);
        if (json_is_object(all))
            json_append(answers, pick(asking, asking->folders.items[i], all));
        if (questions[i].failure && !asking->target->unanswered)
            asking->target->unanswered = question_failure(&questions[i]);
        question_clear(&questions[i]);
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
    struct ansible_memory_inputs inputs = {.project = asking->project,
                                           .target = asking->target,
                                           .recipe = project_recipe(asking->project, asking->target->recipe),
                                           .playbooks = playbooks,
                                           .settings = &asking->settings,
                                           .environment = asking->environment,
                                           .inventory = text,
                                           .version = version};
    char digest[DIGEST_TEXT];
    bool known = ansible_memory_digest(&inputs, digest);
    struct json *answers = known ? ansible_memory_recall(state, digest) : NULL;
    if (answers)
        return answers;
    answers = ask(asking);
    if (known && json_count(answers) == asking->folders.count)
        ansible_memory_keep(state, digest, answers);
    return answers;
}

bool host_variables_ask(struct project *project, struct target *target, const char *const *environment,
                        struct deadline deadline, struct json **answers)
{
    struct asking asking = {
        .project = project, .target = target, .environment = environment, .deadline = deadline};
    AUTO_WORDS playbooks = WORDS_INIT;
    AUTO_JSON *given = NULL;
    find_folders(&asking, &playbooks);
    size_t wanted = asking.folders.count;
    if (project->ansible_found && !is_worth_asking(&asking)) {
        given = json_new_array();
        wanted = 0;
    } else if (project->ansible_found && make_skeleton(&asking) &&
               ansible_settings_read(project->directory, environment, &asking.settings, NULL) == 0) {
        given = answers_of(&asking, &playbooks);
    }
    bool whole = given && json_count(given) == wanted;
    if (whole)
        *answers = TAKE(given);
    asking_end(&asking);
    return whole;
}
