#include "stage/own_device.h"

#include "base/memory.h"
#include "base/text.h"
#include "format/json_words.h"

#include <string.h>

/* ------------------------------------------------------------ what the row says */

bool own_device_has_joined(const struct machine *machine)
{
    return json_get_string(machine->tailnet, "address", NULL);
}

static bool is_adopted(const struct machine *machine)
{
    return json_get_bool(machine->tailnet, "adopted");
}

bool own_device_was_joining(const struct machine *machine)
{
    return machine->tailnet && !own_device_has_joined(machine) && !is_adopted(machine);
}

bool own_device_is_ours(const struct machine *machine)
{
    return machine->tailnet && !is_adopted(machine);
}

bool own_device_would_be_a_peer(const struct machine *machine)
{
    const char *seen_by = json_get_string(machine->tailnet, "seen_by", NULL);
    return seen_by ? text_is(seen_by, "peers") : json_get_bool(machine->tailnet, "left");
}

/* ------------------------------------------------------------ among those that are seen */

const struct tailnet_seen *own_device_find(const struct tailnet_sight *sight, const struct machine *machine)
{
    const char *name = json_get_string(machine->tailnet, "name", "");
    AUTO_FREE char *label = xstrndup(name, strcspn(name, "."));
    if (own_device_has_joined(machine))
        return tailnet_sight_of(sight, machine->tailnet);
    return *label ? tailnet_sight_called(sight, label) : NULL;
}

/* ------------------------------------------------------------ for the row */

static const char *address_of(const struct words *addresses, bool six)
{
    for (size_t i = 0; i < addresses->count; i++)
        if ((strchr(addresses->items[i], ':') != NULL) == six)
            return addresses->items[i];
    return NULL;
}

static void put(struct machine *machine, struct json *device)
{
    json_free(machine->tailnet);
    machine->tailnet = device;
}

void own_device_note(struct machine *machine, const struct target *target, const struct own_device *device)
{
    const char *four = address_of(device->addresses, false), *six = address_of(device->addresses, true);
    struct json *row = json_new_object();
    json_set_string(row, "address", four ? four : six);
    json_set_string(row, "address6", six);
    json_set_string(row, "node", device->node);
    json_set_string(row, "name", device->name);
    json_set(row, "tags", json_words_array(device->tags));
    json_set_string(row, "login_server", target->tailnet.login_server);
    json_set_string(row, "socket", target->tailscale_socket);
    json_set_string(row, "seen_by", device->seen_by);
    json_set_bool(row, "adopted", device->adopted);
    put(machine, row);
}

void own_device_note_intent(struct machine *machine, const struct target *target, const char *label)
{
    struct json *row = json_new_object();
    json_set_string(row, "name", label);
    json_set_string(row, "login_server", target->tailnet.login_server);
    json_set_string(row, "socket", target->tailscale_socket);
    put(machine, row);
}

void own_device_note_left(struct machine *machine)
{
    json_set_bool(machine->tailnet, "left", true);
}
