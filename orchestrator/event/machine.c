#include "event/machine.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "config/provider_facts.h"
#include "format/json_words.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *key;
    size_t offset;
} strings[] = {
    {"id", offsetof(struct machine, id)},
    {"project", offsetof(struct machine, project)},
    {"target", offsetof(struct machine, target)},
    {"provider", offsetof(struct machine, provider)},
    {"reference", offsetof(struct machine, reference)},
    {"address", offsetof(struct machine, address)},
    {"user", offsetof(struct machine, user)},
    {"key", offsetof(struct machine, key)},
    {"jump", offsetof(struct machine, jump)},
    {"python", offsetof(struct machine, python)},
    {"root", offsetof(struct machine, root)},
    {"directory", offsetof(struct machine, directory)},
};

static char **string_at(struct machine *machine, size_t i)
{
    return (char **)(void *)((char *)machine + strings[i].offset);
}

struct machine *machine_new(void)
{
    return xcalloc(1, sizeof(struct machine));
}

void machine_free(struct machine *machine)
{
    if (!machine)
        return;
    for (size_t i = 0; i < COUNT_OF(strings); i++)
        free(*string_at(machine, i));
    words_clear(&machine->host_keys);
    words_clear(&machine->ssh_options);
    json_free(machine->said);
    json_free(machine->tailnet);
    json_free(machine->resources);
    free(machine);
}

void machine_cleanup(struct machine **machine)
{
    machine_free(*machine);
}

bool machine_was_there(const struct machine *machine)
{
    return provider_facts(machine->provider)->existing;
}

const char *machine_address(const struct machine *machine, enum transport_kind kind)
{
    return kind == TRANSPORT_DIRECT ? machine->address
                                    : json_get_string(machine->tailnet, "address", machine->address);
}

int64_t machine_expiry(const struct machine *machine, int64_t ttl_ns, int64_t needed_ns)
{
    if (!ttl_ns || machine_was_there(machine))
        return 0;
    int64_t expires = (machine->made_ns ? machine->made_ns : moment_wall()) + ttl_ns;
    return expires > needed_ns ? expires : needed_ns;
}

bool machine_has_host_key(const struct machine *machine)
{
    for (size_t i = 0; i < machine->host_keys.count; i++)
        if (!text_starts(machine->host_keys.items[i], "@revoked"))
            return true;
    return false;
}

char *machine_project(const struct machine *machine)
{
    AUTO_FREE char *machines = machine->directory ? file_parent(machine->directory) : NULL;
    AUTO_FREE char *state = machines ? file_parent(machines) : NULL;
    return state ? file_parent(state) : NULL;
}

struct json *machine_to_json(const struct machine *machine)
{
    struct json *object = json_new_object();
    for (size_t i = 0; i < COUNT_OF(strings); i++)
        json_set_string(object, strings[i].key, *string_at((struct machine *)machine, i));
    json_set_integer(object, "port", machine->port);
    json_set(object, "host_keys", json_words_array(&machine->host_keys));
    if (machine->ssh_options_known)
        json_set(object, "ssh_options", json_words_array(&machine->ssh_options));
    if (machine->said)
        json_set(object, "said", json_keep(machine->said));
    if (machine->tailnet)
        json_set(object, "tailnet", json_keep(machine->tailnet));
    json_set(object, "resources", machine->resources ? json_keep(machine->resources) : json_new_null());
    json_set_integer(object, "made_ns", machine->made_ns);
    json_set_integer(object, "removed_ns", machine->removed_ns);
    json_set_integer(object, "expires_ns", machine->expires_ns);
    return object;
}

struct machine *machine_from_json(const struct json *object)
{
    struct machine *machine = machine_new();
    for (size_t i = 0; i < COUNT_OF(strings); i++)
        *string_at(machine, i) = xstrdup_or_null(json_get_string(object, strings[i].key, NULL));
    int64_t port = json_get_integer(object, "port", 0);
    machine->port = port > 0 && port < 65536 ? (int)port : 0;
    json_words_add(json_get(object, "host_keys"), &machine->host_keys);
    json_words_add(json_get(object, "ssh_options"), &machine->ssh_options);
    machine->ssh_options_known = json_is_array(json_get(object, "ssh_options"));
    struct json *said = json_get(object, "said");
    machine->said = json_is_object(said) ? json_keep(said) : NULL;
    struct json *tailnet = json_get(object, "tailnet");
    machine->tailnet = json_is_object(tailnet) ? json_keep(tailnet) : NULL;
    struct json *resources = json_get(object, "resources");
    if (json_is_object(resources) || json_is_array(resources))
        machine->resources = json_keep(resources);
    machine->made_ns = json_get_integer(object, "made_ns", 0);
    machine->removed_ns = json_get_integer(object, "removed_ns", 0);
    machine->expires_ns = json_get_integer(object, "expires_ns", 0);
    return machine;
}

struct machine *machine_copy(const struct machine *machine)
{
    /* Through text, so that the objects in it are the copy's own. */
    AUTO_JSON *shared = machine_to_json(machine);
    AUTO_FREE char *text = json_compact(shared);
    AUTO_JSON *copy = json_parse(text, strlen(text), NULL);
    return machine_from_json(copy);
}

struct json *machine_to_row(const struct machine *machine, const char *project_directory)
{
    struct json *object = machine_to_json(machine);
    if (machine->directory)
        json_set_string(object, "directory", file_below(machine->directory, project_directory));
    if (machine->key)
        json_set_string(object, "key", file_below(machine->key, project_directory));
    return object;
}

struct machine *machine_from_row(const struct json *object, const char *project_directory)
{
    struct machine *machine = machine_from_json(object);
    const char *folder = machine->directory, *key = machine->key;
    char *whole = NULL;
    if (folder && *folder != '/')
        whole = layout_stored(project_directory, folder);
    if (whole) {
        free(machine->directory);
        machine->directory = whole;
    }
    /* Not as a folder, that is removed: a user's key may well lie beside the
   * project. */
    if (key && *key && *key != '/' && *key != '~' && !text_is(key, "agent")) {
        char *path = file_join(project_directory, key);
        free(machine->key);
        machine->key = path;
    }
    return machine;
}
