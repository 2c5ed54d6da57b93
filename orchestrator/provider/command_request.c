#include "provider/command_request.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/json_words.h"
#include "format/node_json.h"
#include "format/yaml.h"
#include "process/child.h"
#include "provider/command_answer.h"
#include "sandbox/owner.h"
#include "store/identity.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define VERSION 1

static const struct {
    const char *name;
    size_t words; /* of the target */
} kinds[] = {[COMMAND_MAKE] = {"make", offsetof(struct target, make)},
             [COMMAND_VERIFY] = {"verify", offsetof(struct target, verify)},
             [COMMAND_REMOVE] = {"remove", offsetof(struct target, remove)},
             [COMMAND_LIST] = {"list", offsetof(struct target, list)}};

const char *command_kind_name(enum command_kind kind)
{
    return kinds[kind].name;
}

const struct words *command_request_words(const struct target *target, enum command_kind kind)
{
    return (const struct words *)((const char *)target + kinds[kind].words);
}

void command_request_note(const struct target *target, struct machine *machine)
{
    struct json *calls = json_new_object();
    if (!machine->resources)
        machine->resources = json_new_object();
    for (int kind = 0; kind < COMMAND_KINDS; kind++) {
        const struct words *words = command_request_words(target, (enum command_kind)kind);
        json_set(calls, kinds[kind].name, json_words_array(words));
    }
    json_set(machine->resources, "calls", calls);
    json_set(machine->resources, "env", json_words_array(&target->env));
    json_set(machine->resources, "vars", target->vars ? node_json(target->vars) : json_new_object());
}

const struct json *command_request_noted(const struct machine *machine, enum command_kind kind)
{
    const struct json *list = json_get(json_get(machine->resources, "calls"), kinds[kind].name);
    return json_count(list) ? list : NULL;
}

void command_request_recall(const struct machine *machine, struct target *target)
{
    const struct json *vars = json_get(machine->resources, "vars");
    AUTO_FREE char *text = json_count(vars) ? json_compact(vars) : NULL;
    AUTO_WORDS faults = WORDS_INIT;
    for (int kind = 0; kind < COMMAND_KINDS; kind++)
        json_words_add(command_request_noted(machine, (enum command_kind)kind),
                       (struct words *)((char *)target + kinds[kind].words));
    json_words_add(json_get(machine->resources, "env"), &target->env);
    if (text) /* JSON is YAML */
        (void)yaml_read(text, strlen(text), "vars", &target->vars, &faults);
}

void command_request_environment(const struct command_request *request, struct words *out)
{
    AUTO_WORDS named = WORDS_INIT;
    if (request->target)
        words_add_list(&named, words_argv(&request->target->env));
    else if (request->machine)
        json_words_add(json_get(request->machine->resources, "env"), &named);
    for (char **entry = environ; *entry; entry++) {
        AUTO_FREE char *name = xstrndup(*entry, strcspn(*entry, "="));
        bool secret = text_is(name, CLOUD_TOKEN_VARIABLE) || child_keeps_back(*entry);
        if (!secret || words_have(&named, name))
            words_add(out, *entry);
    }
}

static void put_host(const struct target *target, struct json *request)
{
    struct json *host = json_new_object();
    json_set_string(host, "name", target->host_name);
    json_set_string(host, "address", target->address);
    json_set(host, "port", target->port ? json_new_integer(target->port) : json_new_null());
    json_set_string(host, "user", target->user);
    json_set_string(host, "key", target->key);
    json_set(request, "host", host);
}

/* UNIX seconds, as the cloud's own labels have them. */
static struct json *second(int64_t ns)
{
    return ns ? json_new_integer(ns / NS_PER_S) : json_new_null();
}

static void put_machine(const struct machine *machine, struct json *request)
{
    const struct json *resources = machine->resources;
    struct json *vars = json_get(resources, "vars"), *answer = json_get(resources, COMMAND_ANSWER);
    char name[SANDBOX_NAME_SIZE];
    json_set_string(request, "machine", machine->id);
    json_set_string(request, "name", sandbox_name(machine->id, name, NULL) < 0 ? NULL : name);
    json_set_string(request, "folder", machine->directory);
    json_set(request, "expires", second(machine->expires_ns));
    json_set(request, "vars", vars ? json_keep(vars) : json_new_object());
    json_set(request, "answer", answer ? json_keep(answer) : json_new_null());
}

static void put_listed(const struct listed *listed, struct json *request)
{
    struct json *out = json_new_object();
    json_set_string(out, "reference", listed->reference);
    json_set_string(out, "project", listed->project_id);
    json_set_string(out, "target", listed->target);
    json_set_string(out, "machine", listed->machine);
    json_set(out, "made", second(listed->made_ns));
    json_set(out, "expires", second(listed->expires_ns));
    json_set(request, "listed", out);
}

char *command_request_text(const struct command_request *request)
{
    AUTO_JSON *out = json_new_object();
    struct json *project = json_new_object();
    json_set_integer(out, "version", VERSION);
    json_set_string(out, "call", kinds[request->kind].name);
    json_set_string(project, "name", request->project);
    json_set_string(project, "directory", request->directory);
    AUTO_FREE char *id = request->directory ? identity_id(request->directory) : NULL;
    json_set_string(project, "id", id);
    json_set(out, "project", project);
    json_set_string(out, "target",
                    request->machine  ? request->machine->target
                    : request->target ? request->target->name
                                      : NULL);
    json_set_string(out, "run", request->run);
    json_set_integer(out, "within_s", request->bound_ns / NS_PER_S);
    if (request->machine)
        put_machine(request->machine, out);
    else if (request->target)
        json_set(out, "vars", request->target->vars ? node_json(request->target->vars) : json_new_object());
    if (request->listed)
        put_listed(request->listed, out);
    if (request->target)
        put_host(request->target, out);
    json_set(out, "secrets",
             request->secrets ? json_keep((struct json *)request->secrets) : json_new_object());
    AUTO_FREE char *text = json_compact(out);
    return xasprintf("%s\n", text);
}
