#include "preflight/ask_ansible.h"

#include "ansible/connection_check.h"
#include "ansible/environment.h"
#include "ansible/host_variables.h"
#include "ansible/launcher.h"
#include "ansible/memory.h"
#include "ansible/questions.h"
#include "ansible/vault_passwords.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/yaml.h"
#include "preflight/beyond.h"
#include "preflight/plugins.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct asking {
    struct question *questions;
    size_t count;
    const struct phase **of; /* a listing's own phase; NULL: those that need none of their own */
    size_t listings;         /* the first of them list hosts, the others are asked of ansible-inventory */
    struct words files;      /* to be removed */
    char *rendered;
};

static struct question *add_question(struct plan_work *work, struct asking *asking, const char *program,
                                     struct error *err)
{
    asking->questions = xreallocarray(asking->questions, asking->count + 1, sizeof(*asking->questions));
    struct question *question = &asking->questions[asking->count++];
    *question = (struct question){0};
    ansible_environment(work->target, &work->settings, work->environment, &question->child.environment);
    words_set_env(&question->child.environment, "ANSIBLE_NOCOLOR", "1");
    struct words *argv = &question->child.argv;
    words_add(argv, program);
    for (size_t i = 0; i < work->project->inventory.count; i++) {
        words_add(argv, "-i");
        words_own(argv, file_join(work->project->directory, work->project->inventory.items[i]));
    }
    words_add_all(argv, "-i", asking->rendered, NULL);
    return vault_passwords_add(work->project, work->target, &question->child, err) < 0 ? NULL : question;
}

static char *scratch(const struct plan_work *work, struct asking *asking, const char *bytes,
                     struct error *err)
{
    AUTO_FREE char *folder = file_join(work->state, "plans");
    AUTO_FREE char *path = xasprintf("%s/asking-%d-%zu.yml", folder, (int)getpid(), asking->files.count);
    if (file_make_dirs(folder, 0700, err) < 0 || file_replace(path, bytes, strlen(bytes), 0600, err) < 0)
        return NULL;
    words_add(&asking->files, path);
    return TAKE(path);
}

/* Asks for the hosts of one list of playbooks; of a phase with variables or arguments of its own, with
 * these. */
static int add_listing(struct plan_work *work, struct asking *asking, const struct phase *phase,
                       const struct words *playbooks, struct error *err)
{
    struct question *question = add_question(work, asking, work->project->ansible, err);
    if (!question)
        return -1;
    struct words *argv = &question->child.argv;
    if (phase && phase->vars) {
        struct yaml_writer *writer = yaml_writer_new();
        yaml_node(writer, phase->vars);
        AUTO_FREE char *yaml = yaml_writer_finish(writer, err);
        yaml_writer_free(writer);
        AUTO_FREE char *path = yaml ? scratch(work, asking, yaml, err) : NULL;
        if (!path)
            return -1;
        words_add(argv, "-e");
        words_addf(argv, "@%s", path);
    }
    if (phase)
        words_add_list(argv, words_argv(&phase->args));
    if (work->arguments)
        words_add_list(argv, words_argv(&work->arguments->words));
    /* What a pattern may name, as the phase itself will find it. */
    words_add(argv, "-e");
    words_addf(argv, "triphase_host=%s", work->target->host_name);
    words_add(argv, "--list-hosts");
    words_add_list(argv, words_argv(playbooks));
    asking->of = xreallocarray(asking->of, asking->count, sizeof(*asking->of));
    asking->of[asking->count - 1] = phase;
    asking->listings = asking->count;
    return launcher_wrap(argv, "triphase_ask.py", work->state, err);
}

static bool stands_alone(const struct phase *phase)
{
    return phase->vars || phase->args.count;
}

static int add_listings(struct plan_work *work, struct asking *asking, bool each_alone, struct error *err)
{
    AUTO_WORDS together = WORDS_INIT;
    for (size_t i = 0; i < work->phase_count; i++) {
        const struct phase *phase = work->phases[i];
        if (!stands_alone(phase) && !words_have(&together, phase->playbook))
            words_add(&together, phase->playbook);
    }
    if (!each_alone && together.count && add_listing(work, asking, NULL, &together, err) < 0)
        return -1;
    for (size_t i = 0; each_alone && i < together.count; i++) {
        AUTO_WORDS one = WORDS_INIT;
        words_add(&one, together.items[i]);
        if (add_listing(work, asking, NULL, &one, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < work->phase_count; i++) {
        AUTO_WORDS one = WORDS_INIT;
        words_add(&one, work->phases[i]->playbook);
        if (stands_alone(work->phases[i]) && add_listing(work, asking, work->phases[i], &one, err) < 0)
            return -1;
    }
    return 0;
}

/* Variables as they will be, once for each folder of playbooks, since host_vars beside a playbook count
 * too. */
static int add_host(struct plan_work *work, struct asking *asking, const char *program, struct error *err)
{
    AUTO_WORDS folders = WORDS_INIT;
    for (size_t i = 0; i < work->playbooks.count; i++) {
        AUTO_FREE char *path = file_join(work->project->directory, work->playbooks.items[i]);
        AUTO_FREE char *folder = file_parent(path);
        if (words_have(&folders, folder))
            continue;
        words_add(&folders, folder);
        struct question *question = add_question(work, asking, program, err);
        if (!question)
            return -1;
        words_add_all(&question->child.argv, "--playbook-dir", folder, "--host", work->target->host_name,
                      NULL);
    }
    return 0;
}

/* What the inventories say was asked before (ansible/host_variables.h); that is asked again only where
 * it leaves something open. */
static int add_inventories(struct plan_work *work, struct asking *asking, struct error *err)
{
    bool open = host_variables_leave_open(work->target, json_get(work->expect, work->target->host_name));
    if (!open && !work->delegates.count)
        return 0;
    AUTO_FREE char *program = ansible_find_beside(work->project, "ansible-inventory");
    if (!program) {
        plan_find(work->report, ERROR_NONE, NULL,
                  "ansible-inventory is not to be found: whether host_vars override how the host is reached "
                  "shows only when a phase starts");
        return 0;
    }
    if (open && add_host(work, asking, program, err) < 0)
        return -1;
    if (!work->delegates.count)
        return 0;
    struct question *question = add_question(work, asking, program, err);
    if (!question)
        return -1;
    words_add(&question->child.argv, "--list");
    return 0;
}

static void asking_end(struct asking *asking)
{
    for (size_t i = 0; i < asking->count; i++)
        question_clear(&asking->questions[i]);
    free(asking->questions);
    free(asking->of);
    asking->questions = NULL;
    asking->of = NULL;
    asking->count = asking->listings = 0;
    for (size_t i = 0; i < asking->files.count; i++)
        (void)unlink(asking->files.items[i]);
    words_clear(&asking->files);
    free(asking->rendered);
    asking->rendered = NULL;
}

/* "couldn't resolve module/action 'NAMESPACE.COLLECTION.MODULE'": malloc'ed "NAMESPACE.COLLECTION"; NULL
 * for everything else. */
static char *collection_of(const char *complaint)
{
    const char *at = strstr(complaint, "resolve module/action '");
    const char *name = at ? strchr(at, '\'') + 1 : "";
    size_t length = strcspn(name, "'"), first = strcspn(name, "."),
           second = first < length ? first + 1 + strcspn(name + first + 1, ".") : length;
    return second < length && !text_starts(name, "ansible.") ? xstrndup(name, second) : NULL;
}

/* Of one that never ended: what it waited for is what has to be mended, whichever question met it. */
static void find_failure(struct plan_work *work, const struct question *question)
{
    plan_find_once(work->report, ERROR_PROJECT, NULL, question_failure(question));
}

/* What Ansible says when it fails: its first line after "ERROR!" (2.14) or "[ERROR]:" (2.19), and the
 * place it names. */
static void find_complaint(struct plan_work *work, const struct question *question, const char *playbook)
{
    if (question->failure) {
        find_failure(work, question);
        return;
    }
    const char *said = text_string(&question->said);
    const char *at = strstr(said, "ERROR! ")     ? strstr(said, "ERROR! ") + 7
                     : strstr(said, "[ERROR]: ") ? strstr(said, "[ERROR]: ") + 9
                                                 : said;
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
            where = xasprintf("%.*s:%.*s", (int)(end - appears), appears, (int)strspn(end + 8, "0123456789"),
                              end + 8);
    }
    size_t prefix = strlen(work->project->directory);
    const char *shown = where ? where : playbook;
    if (shown && !strncmp(shown, work->project->directory, prefix) && shown[prefix] == '/')
        shown += prefix + 1;
    AUTO_FREE char *collection = collection_of(text_string(&line));
    if (collection)
        plan_find(work->report, ERROR_MISSING, shown,
                  "%s; install its collection with: ansible-galaxy collection install %s", text_string(&line),
                  collection);
    else if (strstr(text_string(&line), "--limit"))
        plan_find(work->report, ERROR_USAGE, NULL, "%s", text_string(&line));
    else
        plan_find(work->report, ERROR_PROJECT, shown, "Ansible: %s",
                  length ? text_string(&line) : "it failed without a word");
}

/* "playbook: NAME" and below it "    hosts (N):" for each play. */
static void read_listing(struct plan_work *work, const struct question *question, const struct words *dynamic)
{
    AUTO_FREE char *playbook = NULL;
    long matched = 0;
    bool ended = false;
    for (const char *line = text_string(&question->out); !ended; line += strcspn(line, "\n") + 1) {
        ended = !line[strcspn(line, "\n")];
        bool starts = text_starts(line, "playbook: ");
        if ((starts || ended) && playbook && !matched) {
            if (words_have(dynamic, playbook))
                plan_find(work->report, ERROR_NONE, playbook, "no play matches a host of the inventory yet");
            else
                plan_find(work->report, ERROR_PROJECT, playbook,
                          "no play matches a host of the inventory: the target's host is '%s', in the group "
                          "of its recipe (%s) and those of its 'groups'",
                          work->target->host_name, work->recipe->name);
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

/* Older ones look for a program of their own as soon as there is a password, used or not. */
enum { NEEDS_NO_SSHPASS = 19 }; /* ansible-core 2.x */

static void find_password(struct plan_work *work, const struct json *effective)
{
    AUTO_FREE char *file = NULL;
    AUTO_FREE char *text = connection_password_text(work->project, work->target, effective, &file);
    AUTO_FREE char *sshpass = file_find_program("sshpass", NULL);
    const char *version = work->report->ansible_version;
    int minor = NEEDS_NO_SSHPASS;
    if (!text)
        return;
    for (size_t f = 0; f < work->report->count; f++)
        if (text_starts(work->report->findings[f].text, text))
            return;
    if (version)
        (void)sscanf(version, "2.%d", &minor);
    if (!sshpass && minor < NEEDS_NO_SSHPASS)
        plan_find(work->report, ERROR_PROJECT, file,
                  "%s; with it Ansible %s fails at every task, for it wants the program sshpass", text,
                  version);
    else
        plan_find(work->report, ERROR_NONE, file, "%s", text);
}

static void read_beyond(struct plan_work *work, const struct phase *of, const struct question *question)
{
    for (size_t i = 0; i < work->phase_count; i++) {
        const struct phase *phase = work->phases[i];
        if (!phase->beyond_allowed && (of ? of == phase : !stands_alone(phase)))
            plan_beyond_refuse(work, phase, text_string(&question->out));
    }
}

static void read_inventory(struct plan_work *work, const struct question *question)
{
    AUTO_JSON *effective = json_parse(text_string(&question->out), question->out.length, NULL);
    if (question->failure || question->end.code != 0 || !json_is_object(effective)) {
        find_complaint(work, question, "ansible-inventory");
        return;
    }
    struct connection_differences found = {0};
    const char *host = work->target->host_name;
    connection_compare(work->project, host, json_get(work->expect, host), effective, &found);
    for (size_t i = 0; i < found.count; i++) {
        AUTO_FREE char *text = connection_difference_text(&found.items[i]);
        /* host_variables_fill may have said of it which key it contradicts. */
        AUTO_FREE char *start = xasprintf("variable %s of host %s is ", found.items[i].variable, host);
        bool known = false;
        for (size_t f = 0; f < work->report->count; f++)
            known = known || text_starts(work->report->findings[f].text, start);
        if (!known)
            plan_find(work->report, ERROR_PROJECT, found.items[i].file, "%s", text);
    }
    connection_differences_clear(&found);
    find_password(work, effective);
}

/* One round; `each_alone` finds the faults of every playbook where the first one hid the others'. 1 when a
 * listing failed. */
static int ask_once(struct plan_work *work, bool each_alone, const struct words *dynamic,
                    struct deadline deadline, struct error *err)
{
    struct asking asking = {0};
    int result = 0;
    asking.rendered = scratch(work, &asking, work->inventory, err);
    if (!asking.rendered || add_listings(work, &asking, each_alone, err) < 0 ||
        (!each_alone && add_inventories(work, &asking, err) < 0)) {
        asking_end(&asking);
        return -1;
    }
    struct plan_plugins facts = {.report = work->report,
                                 .project = work->project,
                                 .target = work->target,
                                 .rendered = asking.rendered,
                                 .whole = true};
    questions_ask(asking.questions, asking.count, work->project->directory, deadline);
    for (size_t i = 0; i < asking.count; i++) {
        struct question *question = &asking.questions[i];
        bool listing = i < asking.listings,
             failed = question->failure || !question->end.exited || question->end.code != 0;
        const char *last = question->child.argv.items[question->child.argv.count - 1];
        facts.whole = facts.whole && !(listing && failed);
        if (listing && (each_alone || !failed))
            plan_plugins_take(&facts, text_string(&question->out));
        if (!listing && text_is(last, "--list"))
            plan_beyond_warn(work, text_string(&question->out));
        else if (!listing)
            read_inventory(work, question);
        else if (failed && !question->failure && !each_alone)
            result = 1;
        else if (failed)
            find_complaint(work, question, last);
        else {
            read_listing(work, question, dynamic);
            read_beyond(work, asking.of[i], question);
        }
    }
    plan_plugins_end(&facts);
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

void plan_ask_ansible(struct plan_work *work, const struct words *dynamic)
{
    struct plan_report *report = work->report;
    size_t before = report->count;
    if (work->target->unanswered) {
        plan_find(report, ERROR_PROJECT, NULL, "%s", work->target->unanswered);
        return;
    }
    struct ansible_memory_inputs inputs = {.project = work->project,
                                           .target = work->target,
                                           .recipe = work->recipe,
                                           .phases = work->phases,
                                           .phase_count = work->phase_count,
                                           .playbooks = &work->playbooks,
                                           .settings = &work->settings,
                                           .arguments = work->arguments,
                                           .environment = work->environment,
                                           .inventory = work->inventory,
                                           .version = report->ansible_version};
    char digest[DIGEST_TEXT];
    bool known = ansible_memory_digest(&inputs, digest);
    AUTO_JSON *remembered = known && !work->forget ? ansible_memory_recall(work->state, digest) : NULL;
    if (remembered) {
        for (size_t i = 0; i < json_count(remembered); i++)
            plan_find(work->report, ERROR_NONE, json_get_string(json_at(remembered, i), "where", NULL), "%s",
                      json_get_string(json_at(remembered, i), "text", ""));
        report->remembered = true;
        return;
    }
    AUTO_ERROR err = ERROR_INIT;
    struct deadline deadline =
        deadline_in(work->questions_ns ? work->questions_ns : QUESTIONS_BOUND - work->target->asked_ns);
    find_password(work, work->target->host_variables);
    int result = ask_once(work, false, dynamic, deadline, &err);
    if (result > 0)
        result = ask_once(work, true, dynamic, deadline, &err);
    if (result < 0)
        plan_find_error(work->report, NULL, &err);
    if (known && !plan_refuses(report, before)) {
        AUTO_JSON *warnings = warnings_from(report, before);
        ansible_memory_keep(work->state, digest, warnings);
    }
}
