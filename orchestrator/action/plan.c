#include "action/plan.h"
#include "action/connection_check.h"
#include "action/plan_ask.h"
#include "action/plan_memory.h"
#include "action/plan_scan.h"
#include "action/provider.h"
#include "action/transport.h"
#include "action/tun.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "data/inventory.h"
#include "data/layout.h"
#include "mechanism/yaml.h"

#include <string.h>
#include <unistd.h>

/* Sockets that no run has: the text that is rendered for the questions must not change from one plan to the next. */
static const char no_run[] = "00000000-0000-7000-8000-000000000000";
static const int64_t question_bound = 120 * NS_PER_S;

struct planning {
    const struct project *project;
    const struct target *target;
    const struct recipe *recipe;
    const struct plan_options *options;
    struct plan_report *report;
    const char *const *environment;
    char *state;
    const struct phase **phases; /* those that are to run, teardown too */
    size_t phase_count;
    struct words playbooks; /* of them, each once */
    struct ansible_settings settings;
    char *inventory; /* text */
    struct json *expect;
};

static void find(struct planning *planning, enum error_kind kind, const char *where, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* `kind` ERROR_NONE: a warning. */
static void find(struct planning *planning, enum error_kind kind, const char *where, const char *format, ...)
{
    struct plan_report *report = planning->report;
    va_list args;
    va_start(args, format);
    char *text = xvasprintf(format, args);
    va_end(args);
    report->findings = xreallocarray(report->findings, report->count + 1, sizeof(*report->findings));
    report->findings[report->count++] = (struct plan_finding){kind != ERROR_NONE, kind, xstrdup_or_null(where), text};
}

static void find_error(struct planning *planning, const char *where, const struct error *err)
{
    find(planning, err->kind, where, "%s", error_text(err));
}

static char *phase_place(const struct planning *planning, const struct phase *phase)
{
    return xasprintf("recipe %s, phase %s", planning->recipe->name, phase->name);
}

/* ------------------------------------------------------------ what needs no Ansible */

static void choose_phases(struct planning *planning)
{
    const struct recipe *recipe = planning->recipe;
    const struct words *wanted = planning->options->phases;
    planning->phases = xcalloc(recipe->phase_count + recipe->teardown_count + 1, sizeof(*planning->phases));
    for (size_t i = 0; i < recipe->phase_count + recipe->teardown_count; i++) {
        const struct phase *phase = i < recipe->phase_count ? &recipe->phases[i] : &recipe->teardown[i - recipe->phase_count];
        if (wanted && !words_have(wanted, phase->name))
            continue;
        planning->phases[planning->phase_count++] = phase;
        if (!words_have(&planning->playbooks, phase->playbook))
            words_add(&planning->playbooks, phase->playbook);
    }
    for (size_t w = 0; wanted && w < wanted->count; w++) {
        const char *names[64] = {NULL};
        size_t count = 0;
        bool known = false;
        for (size_t i = 0; i < recipe->phase_count; i++) {
            known = known || text_is(recipe->phases[i].name, wanted->items[w]);
            if (count + 1 < COUNT_OF(names))
                names[count++] = recipe->phases[i].name;
        }
        const char *nearest = text_nearest(wanted->items[w], names);
        if (!known)
            find(planning, ERROR_USAGE, NULL, "recipe %s has no phase '%s'%s%s%s", recipe->name, wanted->items[w], nearest ? ", did you mean '" : "",
                 nearest ? nearest : "", nearest ? "'?" : "");
    }
}

static void look_for_ansible(struct planning *planning)
{
    const struct project *project = planning->project;
    if (!project->ansible_found) {
        find(planning, ERROR_MISSING, NULL,
             "%s is not to be found; install it with 'pip install ansible-core==2.19.14' (or 'apt-get install -y ansible-core'), or name it with 'ansible:' in "
             "triphase.yml",
             project->ansible);
        return;
    }
    AUTO_ERROR err = ERROR_INIT;
    planning->report->ansible_version = ansible_version(project->ansible, &err);
    if (!planning->report->ansible_version)
        find_error(planning, NULL, &err);
}

static void look_for_requirements(struct planning *planning)
{
    for (size_t i = 0; i < planning->phase_count; i++) {
        const struct phase *phase = planning->phases[i];
        AUTO_FREE char *place = phase_place(planning, phase);
        for (size_t r = 0; r < phase->require_count; r++) {
            const struct requirement *need = &phase->requires[r];
            if (!need->program) {
                struct tun_evidence tun;
                tun_look(planning->target->tailscale_socket, &tun);
                AUTO_FREE char *text = tun_text(&tun);
                if (!tun_is_usable(&tun))
                    find(planning, ERROR_MISSING, place, "it requires a TUN device: %s", text);
                tun_free(&tun);
                continue;
            }
            AUTO_FREE char *path = ansible_find_required(planning->project, need);
            if (!path)
                find(planning, ERROR_MISSING, place, "the program %s is missing (looked beside %s, among its Python packages and in PATH)%s%s", need->program,
                     planning->project->ansible, need->install ? "; install it with: " : "", need->install ? need->install : "");
        }
    }
}

static void look_for_provider(struct planning *planning)
{
    AUTO_ERROR err = ERROR_INIT;
    const struct provider *provider = provider_named(planning->target->provider);
    if (!provider)
        find(planning, ERROR_PROJECT, NULL, "the provider %s is not in this version", planning->target->provider);
    else if (!planning->options->machine && provider->check(planning->target, &err) < 0)
        find_error(planning, NULL, &err);
}

static void look_for_transports(struct planning *planning)
{
    const struct target *target = planning->target;
    AUTO_ERROR err = ERROR_INIT;
    enum transport_kind kind;
    if (transport_choose(&target->transports, target, true, &kind, &planning->report->evidence, &err) < 0)
        find_error(planning, NULL, &err);
    for (size_t i = 0; i < planning->phase_count; i++) {
        const struct phase *phase = planning->phases[i];
        AUTO_ERROR phase_err = ERROR_INIT;
        if (phase->transports.count && transport_choose(&phase->transports, target, true, &kind, NULL, &phase_err) < 0) {
            AUTO_FREE char *place = phase_place(planning, phase);
            find_error(planning, place, &phase_err);
        }
    }
    if (target->key_passphrase.kind != SECRET_NONE)
        find(planning, ERROR_PROJECT, NULL, "key_passphrase is not in this version; load the key into an agent and say 'key: agent'");
}

static void look_at_phase_arguments(struct planning *planning)
{
    for (size_t i = 0; i < planning->phase_count; i++) {
        struct ansible_arguments arguments = {0};
        AUTO_ERROR err = ERROR_INIT;
        if (ansible_check_arguments(words_argv(&planning->phases[i]->args), &arguments, &err) == 0) {
            ansible_arguments_free(&arguments);
            continue;
        }
        AUTO_FREE char *place = phase_place(planning, planning->phases[i]);
        find(planning, ERROR_PROJECT, place, "args: %s", error_text(&err));
    }
}

/* Renders as it will be, but without a machine. */
static void render(struct planning *planning)
{
    const struct target *target = planning->target;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_MACHINE *machine = ssh_machine_planned(planning->project, target);
    enum transport_kind kind;
    if (transport_choose(&target->transports, target, false, &kind, NULL, NULL) < 0)
        kind = TRANSPORT_DIRECT;
    AUTO_FREE char *sockets = layout_sockets(no_run, transport_name(kind));
    AUTO_FREE char *users = ansible_user_ssh_arguments(&planning->settings);
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    if (ssh_arguments_make(machine, target, kind, sockets, SSH_ALIVE_INTERVAL, 8, &ssh, &err) == 0) {
        struct inventory_request request = {
            .project = planning->project, .host = {target, machine, kind, &ssh, NULL}, .run = no_run, .user_ssh_arguments = users};
        if (inventory_render(&request, &planning->inventory, &planning->expect, &err) == 0)
            return;
    }
    find_error(planning, NULL, &err);
}

/* Whether one -e value sets the variable. */
static bool extra_sets(const struct project *project, const char *extra, const char *variable)
{
    AUTO_NODE *values = NULL;
    AUTO_WORDS faults = WORDS_INIT;
    if (*extra == '@') {
        AUTO_FREE char *path = file_join(project->directory, extra + 1);
        (void)yaml_read_file(path, path, &values, &faults);
    } else if (*extra == '{') {
        (void)yaml_read(extra, strlen(extra), "-e", &values, &faults);
    } else {
        size_t length = strlen(variable);
        for (const char *at = strstr(extra, variable); at; at = strstr(at + 1, variable))
            if ((at == extra || at[-1] == ' ') && at[length] == '=')
                return true;
        return false;
    }
    return node_get(values, variable) != NULL;
}

static bool is_answered(const struct planning *planning, const struct phase *phase, const char *variable)
{
    const struct target *target = planning->target;
    if (node_get(phase->vars, variable))
        return true;
    for (size_t i = 0; i < target->secret_count; i++)
        if (text_is(target->secrets[i].name, variable))
            return true;
    struct ansible_arguments own = {0};
    (void)ansible_check_arguments(words_argv(&phase->args), &own, NULL);
    bool found = false;
    for (size_t i = 0; i < own.extra.count; i++)
        found = found || extra_sets(planning->project, own.extra.items[i], variable);
    const struct ansible_arguments *given = planning->options->arguments;
    for (size_t i = 0; given && i < given->extra.count; i++)
        found = found || extra_sets(planning->project, given->extra.items[i], variable);
    ansible_arguments_free(&own);
    return found;
}

/* What the playbooks themselves say. `dynamic` gets those whose plays may match hosts that no inventory knows. */
static void scan(struct planning *planning, struct words *dynamic)
{
    for (size_t i = 0; i < planning->playbooks.count; i++) {
        const char *playbook = planning->playbooks.items[i];
        struct scan found = {0};
        scan_playbook(planning->project, playbook, &found);
        for (size_t k = 0; k < found.count; k++) {
            const struct scan_item *item = &found.items[k];
            if (item->kind == SCAN_TEMPLATED || item->kind == SCAN_DYNAMIC) {
                find(planning, ERROR_NONE, item->where,
                     item->kind == SCAN_TEMPLATED ? "the host pattern '%s' is templated: which hosts it matches is known only when it runs"
                                                  : "%s makes hosts or groups while it runs: which hosts later plays match is not known before",
                     item->text);
                words_add(dynamic, playbook);
            } else if (item->kind == SCAN_RESTART) {
                find(planning, ERROR_NONE, item->where,
                     "%s is stopped or restarted while the task's own connection may run over it; where that cuts it the task is lost: give the task 'async: 60' "
                     "and 'poll: 5', and its phase 'network_churn: true'",
                     item->text);
            }
            for (size_t p = 0; item->kind == SCAN_PROMPT && p < planning->phase_count; p++)
                if (text_is(planning->phases[p]->playbook, playbook) && !is_answered(planning, planning->phases[p], item->text)) {
                    AUTO_FREE char *place = phase_place(planning, planning->phases[p]);
                    find(planning, ERROR_PROJECT, item->where,
                         "vars_prompt asks for %s, and nobody answers a supervised phase (%s); give it a value under the phase's vars, the target's secrets, or with "
                         "'-- -e %s=…'",
                         item->text, place, item->text);
                }
        }
        scan_free(&found);
    }
}

/* ------------------------------------------------------------ questions to Ansible */

struct asking {
    struct question *questions;
    size_t count;
    size_t listings; /* the first of them list hosts, the others are asked of ansible-inventory */
    struct words files; /* to be removed */
    char *rendered;
};

static struct question *add_question(struct planning *planning, struct asking *asking, const char *program, struct error *err)
{
    asking->questions = xreallocarray(asking->questions, asking->count + 1, sizeof(*asking->questions));
    struct question *question = &asking->questions[asking->count++];
    *question = (struct question){0};
    ansible_environment(planning->target, &planning->settings, planning->environment, &question->child.environment);
    words_set_env(&question->child.environment, "ANSIBLE_NOCOLOR", "1");
    struct words *argv = &question->child.argv;
    words_add(argv, program);
    for (size_t i = 0; i < planning->project->inventory.count; i++) {
        words_add(argv, "-i");
        words_own(argv, file_join(planning->project->directory, planning->project->inventory.items[i]));
    }
    words_add_all(argv, "-i", asking->rendered, NULL);
    return ansible_add_vault_passwords(planning->project, planning->target, &question->child, err) < 0 ? NULL : question;
}

static char *scratch(const struct planning *planning, struct asking *asking, const char *bytes, struct error *err)
{
    AUTO_FREE char *folder = file_join(planning->state, "plans");
    AUTO_FREE char *path = xasprintf("%s/asking-%d-%zu.yml", folder, (int)getpid(), asking->files.count);
    if (file_make_dirs(folder, 0700, err) < 0 || file_replace(path, bytes, strlen(bytes), 0600, err) < 0)
        return NULL;
    words_add(&asking->files, path);
    return TAKE(path);
}

/* Asks for the hosts of one list of playbooks; of a phase with variables or arguments of its own, with these. */
static int add_listing(struct planning *planning, struct asking *asking, const struct phase *phase, const struct words *playbooks, struct error *err)
{
    struct question *question = add_question(planning, asking, planning->project->ansible, err);
    if (!question)
        return -1;
    struct words *argv = &question->child.argv;
    if (phase && phase->vars) {
        struct yaml_writer *writer = yaml_writer_new();
        yaml_node(writer, phase->vars);
        AUTO_FREE char *yaml = yaml_writer_finish(writer, err);
        yaml_writer_free(writer);
        AUTO_FREE char *path = yaml ? scratch(planning, asking, yaml, err) : NULL;
        if (!path)
            return -1;
        words_add(argv, "-e");
        words_addf(argv, "@%s", path);
    }
    if (phase)
        words_add_list(argv, words_argv(&phase->args));
    if (planning->options->arguments)
        words_add_list(argv, words_argv(&planning->options->arguments->words));
    words_add(argv, "--list-hosts");
    words_add_list(argv, words_argv(playbooks));
    asking->listings = asking->count;
    return 0;
}

static bool stands_alone(const struct phase *phase)
{
    return phase->vars || phase->args.count;
}

static int add_listings(struct planning *planning, struct asking *asking, bool each_alone, struct error *err)
{
    AUTO_WORDS together = WORDS_INIT;
    for (size_t i = 0; i < planning->phase_count; i++) {
        const struct phase *phase = planning->phases[i];
        if (!stands_alone(phase) && !words_have(&together, phase->playbook))
            words_add(&together, phase->playbook);
    }
    if (!each_alone && together.count && add_listing(planning, asking, NULL, &together, err) < 0)
        return -1;
    for (size_t i = 0; each_alone && i < together.count; i++) {
        AUTO_WORDS one = WORDS_INIT;
        words_add(&one, together.items[i]);
        if (add_listing(planning, asking, NULL, &one, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < planning->phase_count; i++) {
        AUTO_WORDS one = WORDS_INIT;
        words_add(&one, planning->phases[i]->playbook);
        if (stands_alone(planning->phases[i]) && add_listing(planning, asking, planning->phases[i], &one, err) < 0)
            return -1;
    }
    return 0;
}

/* Variables as they will be, once for each folder of playbooks, since host_vars beside a playbook count too. */
static int add_inventories(struct planning *planning, struct asking *asking, struct error *err)
{
    AUTO_FREE char *bin = xstrdup(planning->project->ansible);
    if (strrchr(bin, '/'))
        *strrchr(bin, '/') = '\0';
    AUTO_FREE char *beside = file_join(bin, "ansible-inventory");
    AUTO_FREE char *program = file_is_program(beside) ? TAKE(beside) : file_find_program("ansible-inventory", NULL);
    if (!program) {
        find(planning, ERROR_NONE, NULL, "ansible-inventory is not to be found: whether host_vars override how the host is reached shows only when a phase starts");
        return 0;
    }
    AUTO_WORDS folders = WORDS_INIT;
    for (size_t i = 0; i < planning->playbooks.count; i++) {
        AUTO_FREE char *path = file_join(planning->project->directory, planning->playbooks.items[i]);
        if (strrchr(path, '/'))
            *strrchr(path, '/') = '\0';
        if (words_have(&folders, path))
            continue;
        words_add(&folders, path);
        struct question *question = add_question(planning, asking, program, err);
        if (!question)
            return -1;
        words_add_all(&question->child.argv, "--playbook-dir", path, "--host", planning->target->host_name, NULL);
    }
    return 0;
}

static void asking_end(struct asking *asking)
{
    for (size_t i = 0; i < asking->count; i++)
        question_free(&asking->questions[i]);
    free(asking->questions);
    asking->questions = NULL;
    asking->count = asking->listings = 0;
    for (size_t i = 0; i < asking->files.count; i++)
        (void)unlink(asking->files.items[i]);
    words_free(&asking->files);
    free(asking->rendered);
    asking->rendered = NULL;
}

/* "couldn't resolve module/action 'NAMESPACE.COLLECTION.MODULE'": malloc'ed "NAMESPACE.COLLECTION"; NULL for everything else. */
static char *collection_of(const char *complaint)
{
    const char *at = strstr(complaint, "resolve module/action '");
    const char *name = at ? strchr(at, '\'') + 1 : "";
    size_t length = strcspn(name, "'"), first = strcspn(name, "."), second = first < length ? first + 1 + strcspn(name + first + 1, ".") : length;
    return second < length && !text_starts(name, "ansible.") ? xstrndup(name, second) : NULL;
}

/* What Ansible says when it fails: its first line after "ERROR!" (2.14) or "[ERROR]:" (2.19), and the place it names. */
static void find_complaint(struct planning *planning, const struct question *question, const char *playbook)
{
    if (question->failure) {
        find(planning, ERROR_SYSTEM, playbook, "%s: %s", question->child.argv.items[0], question->failure);
        return;
    }
    const char *said = text_string(&question->said);
    const char *at = strstr(said, "ERROR! ") ? strstr(said, "ERROR! ") + 7 : strstr(said, "[ERROR]: ") ? strstr(said, "[ERROR]: ") + 9 : said;
    AUTO_TEXT line = TEXT_INIT;
    size_t length = strcspn(at, "\n");
    text_add_printable(&line, at, length > 800 ? 800 : length);
    AUTO_FREE char *where = NULL;
    const char *origin = strstr(at, "\nOrigin: "), *appears = strstr(at, "error appears to be in '");
    if (origin) {
        origin += 9;
        where = xstrndup(origin, strcspn(origin, "\n"));
    } else if (appears) {
        appears += strlen("error appears to be in '");
        const char *end = strstr(appears, "': line ");
        if (end)
            where = xasprintf("%.*s:%.*s", (int)(end - appears), appears, (int)strspn(end + 8, "0123456789"), end + 8);
    }
    size_t prefix = strlen(planning->project->directory);
    const char *shown = where ? where : playbook;
    if (shown && !strncmp(shown, planning->project->directory, prefix) && shown[prefix] == '/')
        shown += prefix + 1;
    AUTO_FREE char *collection = collection_of(text_string(&line));
    if (collection)
        find(planning, ERROR_MISSING, shown, "%s; install its collection with: ansible-galaxy collection install %s", text_string(&line), collection);
    else if (strstr(text_string(&line), "--limit"))
        find(planning, ERROR_USAGE, NULL, "%s", text_string(&line));
    else
        find(planning, ERROR_PROJECT, shown, "Ansible: %s", length ? text_string(&line) : "it failed without a word");
}

/* "playbook: NAME" and below it "    hosts (N):" for each play. */
static void read_listing(struct planning *planning, const struct question *question, const struct words *dynamic)
{
    AUTO_FREE char *playbook = NULL;
    long matched = 0;
    bool ended = false;
    for (const char *line = text_string(&question->out); !ended; line += strcspn(line, "\n") + 1) {
        ended = !line[strcspn(line, "\n")];
        bool starts = text_starts(line, "playbook: ");
        if ((starts || ended) && playbook && !matched) {
            if (words_have(dynamic, playbook))
                find(planning, ERROR_NONE, playbook, "no play matches a host of the inventory yet");
            else
                find(planning, ERROR_PROJECT, playbook,
                     "no play matches a host of the inventory: the target's host is '%s', in the group of its recipe (%s) and those of its 'groups'",
                     planning->target->host_name, planning->recipe->name);
        }
        if (starts) {
            free(playbook);
            playbook = xstrndup(line + 10, strcspn(line, "\n") - 10);
            matched = 0;
        } else if (text_starts(line, "    hosts (")) {
            matched += strtol(line + 11, NULL, 10);
        }
        if (ended)
            break;
    }
}

static void read_inventory(struct planning *planning, const struct question *question)
{
    AUTO_JSON *effective = json_parse(text_string(&question->out), question->out.length, NULL);
    if (question->failure || question->end.code != 0 || !json_is_object(effective)) {
        find_complaint(planning, question, "ansible-inventory");
        return;
    }
    struct connection_differences found = {0};
    const char *host = planning->target->host_name;
    connection_compare(planning->project, host, json_get(planning->expect, host), effective, &found);
    for (size_t i = 0; i < found.count; i++) {
        AUTO_FREE char *text = connection_difference_text(&found.items[i]);
        bool known = false;
        for (size_t f = 0; f < planning->report->count; f++)
            known = known || text_is(planning->report->findings[f].text, text);
        if (!known)
            find(planning, ERROR_PROJECT, found.items[i].file, "%s", text);
    }
    connection_differences_free(&found);
}

/* One round; `each_alone` finds the faults of every playbook where the first one hid the others'. 1 when a listing failed. */
static int ask_once(struct planning *planning, bool each_alone, const struct words *dynamic, struct error *err)
{
    struct asking asking = {0};
    int result = 0;
    asking.rendered = scratch(planning, &asking, planning->inventory, err);
    if (!asking.rendered || add_listings(planning, &asking, each_alone, err) < 0 || (!each_alone && add_inventories(planning, &asking, err) < 0)) {
        asking_end(&asking);
        return -1;
    }
    questions_ask(asking.questions, asking.count, planning->project->directory, question_bound);
    for (size_t i = 0; i < asking.count; i++) {
        struct question *question = &asking.questions[i];
        bool listing = i < asking.listings, failed = question->failure || !question->end.exited || question->end.code != 0;
        const char *last = question->child.argv.items[question->child.argv.count - 1];
        if (!listing)
            read_inventory(planning, question);
        else if (failed && !each_alone)
            result = 1;
        else if (failed)
            find_complaint(planning, question, last);
        else
            read_listing(planning, question, dynamic);
    }
    asking_end(&asking);
    return result;
}

static struct json *warnings_from(const struct plan_report *report, size_t from)
{
    struct json *list = json_new_array();
    for (size_t i = from; i < report->count; i++) {
        struct json *entry = json_new_object();
        json_set_string(entry, "where", report->findings[i].where);
        json_set_string(entry, "text", report->findings[i].text);
        json_append(list, entry);
    }
    return list;
}

static bool refuses_from(const struct plan_report *report, size_t from)
{
    for (size_t i = from; i < report->count; i++)
        if (report->findings[i].refuses)
            return true;
    return false;
}

static void ask(struct planning *planning, const struct words *dynamic)
{
    struct plan_report *report = planning->report;
    struct plan_inputs inputs = {.project = planning->project,
                                 .target = planning->target,
                                 .recipe = planning->recipe,
                                 .playbooks = &planning->playbooks,
                                 .settings = &planning->settings,
                                 .arguments = planning->options->arguments,
                                 .environment = planning->environment,
                                 .inventory = planning->inventory,
                                 .version = report->ansible_version};
    char digest[DIGEST_TEXT];
    bool known = plan_digest(&inputs, digest);
    AUTO_JSON *remembered = known && !planning->options->forget ? plan_recall(planning->state, digest) : NULL;
    if (remembered) {
        for (size_t i = 0; i < json_count(remembered); i++)
            find(planning, ERROR_NONE, json_get_string(json_at(remembered, i), "where", NULL), "%s", json_get_string(json_at(remembered, i), "text", ""));
        report->remembered = true;
        return;
    }
    size_t before = report->count;
    AUTO_ERROR err = ERROR_INIT;
    int result = ask_once(planning, false, dynamic, &err);
    if (result > 0)
        result = ask_once(planning, true, dynamic, &err);
    if (result < 0)
        find_error(planning, NULL, &err);
    if (known && !refuses_from(report, before)) {
        AUTO_JSON *warnings = warnings_from(report, before);
        plan_remember(planning->state, digest, warnings);
    }
}

int plan_check(const struct project *project, const struct target *target, const struct plan_options *options, struct plan_report *out,
               struct error *err)
{
    struct plan_report report = {.target = xstrdup(target->name)};
    struct planning planning = {.project = project,
                                .target = target,
                                .recipe = project_recipe(project, target->recipe),
                                .options = options,
                                .report = &report,
                                .environment = options->environment ? options->environment : (const char *const *)environ,
                                .state = layout_state(project->directory)};
    AUTO_WORDS dynamic = WORDS_INIT;
    int result = ansible_settings_read(project, planning.environment, &planning.settings, err);
    if (result == 0)
        result = layout_make(planning.state, err);
    if (result == 0) {
        choose_phases(&planning);
        look_for_ansible(&planning);
        look_for_requirements(&planning);
        look_for_provider(&planning);
        look_for_transports(&planning);
        look_at_phase_arguments(&planning);
        render(&planning);
        scan(&planning, &dynamic);
        if (project->ansible_found && planning.inventory && planning.playbooks.count)
            ask(&planning, &dynamic);
    }
    ansible_settings_free(&planning.settings);
    words_free(&planning.playbooks);
    json_free(planning.expect);
    free(planning.inventory);
    free(planning.phases);
    free(planning.state);
    if (result < 0) {
        plan_report_free(&report);
        return -1;
    }
    *out = report;
    return 0;
}

void plan_report_free(struct plan_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->findings[i].where);
        free(report->findings[i].text);
    }
    free(report->findings);
    free(report->target);
    free(report->ansible_version);
    json_free(report->evidence);
    *report = (struct plan_report){0};
}

int plan_error(const struct plan_report *report, struct error *err)
{
    static const enum error_kind order[] = {ERROR_SYSTEM, ERROR_STORE,  ERROR_PROJECT,     ERROR_MISSING,
                                            ERROR_BUSY,   ERROR_PROVIDER, ERROR_UNREACHABLE, ERROR_DEADLINE, ERROR_USAGE};
    AUTO_TEXT lines = TEXT_INIT;
    size_t worst = COUNT_OF(order);
    for (size_t i = 0; i < report->count; i++) {
        const struct plan_finding *finding = &report->findings[i];
        if (!finding->refuses)
            continue;
        for (size_t k = 0; k < worst; k++)
            if (order[k] == finding->kind)
                worst = k;
        text_addf(&lines, "%s%s%s%s", lines.length ? "\n" : "", finding->where ? finding->where : "", finding->where ? ": " : "", finding->text);
    }
    if (!lines.length)
        return 0;
    return error_set(err, worst < COUNT_OF(order) ? order[worst] : ERROR_PROJECT, "%s", text_string(&lines));
}

struct json *plan_json(const struct plan_report *report)
{
    struct json *object = json_new_object(), *findings = json_new_array();
    json_set_integer(object, "version", 1);
    json_set_string(object, "target", report->target);
    json_set_bool(object, "ok", !refuses_from(report, 0));
    json_set_string(object, "ansible", report->ansible_version);
    json_set_bool(object, "remembered", report->remembered);
    json_set(object, "evidence", report->evidence ? json_keep(report->evidence) : json_new_null());
    for (size_t i = 0; i < report->count; i++) {
        const struct plan_finding *finding = &report->findings[i];
        struct json *entry = json_new_object();
        json_set_string(entry, "level", finding->refuses ? "error" : "warning");
        json_set_string(entry, "kind", !finding->refuses ? NULL : finding->kind == ERROR_MISSING ? "missing" : finding->kind == ERROR_USAGE ? "usage" : finding->kind == ERROR_PROJECT ? "project" : "system");
        json_set_string(entry, "where", finding->where);
        json_set_string(entry, "text", finding->text);
        json_append(findings, entry);
    }
    json_set(object, "findings", findings);
    return object;
}
