#include "provider/hetzner_make.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "cloud/create_server.h"
#include "cloud/lookup.h"
#include "config/provider_facts.h"
#include "config/ssh_rules.h"
#include "event/step_log.h"
#include "provider/hetzner_account.h"
#include "provider/hetzner_host_keys.h"
#include "provider/hetzner_list.h"
#include "provider/hetzner_order.h"
#include "provider/hetzner_user_data.h"
#include "provider/machine_folder.h"
#include "store/identity.h"

#include <string.h>
#include <unistd.h>

/* In the machine's folder from before the first thing is made at the cloud until its absence was seen; it
 * holds the mark of endpoint and token. */
#define BEGUN "hetzner.begun"

enum { POSTS_MOST = 5, MARK_MOST = 128 };

/* ssh-keygen's private ed25519 key with a comment of eight characters has 399 bytes. */
enum { FIRST_KEY_BYTES = 419 };

static const char *const files[] = {"key", "key.pub", "known_hosts", BEGUN};

int hetzner_make_user_data(const struct target *target, const char *first_key, char **out, struct error *err)
{
    const char *path = target->cloud.user_data;
    AUTO_TEXT users = TEXT_INIT;
    char stand_in[FIRST_KEY_BYTES + 1];
    memset(stand_in, 'k', FIRST_KEY_BYTES);
    stand_in[FIRST_KEY_BYTES] = '\0';
    if (path && file_read(path, 4 * HETZNER_USER_DATA_MOST, &users, err) < 0) {
        error_prefix(err, "user_data of target %s", target->name);
        if (err)
            err->kind = ERROR_PROJECT;
        return -1;
    }
    if (path && strlen(text_string(&users)) != users.length)
        return error_set(err, ERROR_PROJECT, "user_data: %s holds NUL bytes", path);
    const char *ours = !hetzner_host_keys_are_learnt(target) ? NULL : first_key ? first_key : stand_in;
    return hetzner_user_data_make(ours, path ? text_string(&users) : NULL,
                                  path ? path : "what triphase itself sends", out, err);
}

enum hetzner_account hetzner_make_account(const struct machine *machine, const struct cloud_api *api)
{
    AUTO_FREE char *begun = machine->directory ? file_join(machine->directory, BEGUN) : NULL;
    AUTO_FREE char *mark = cloud_api_mark(api, machine->id);
    AUTO_TEXT noted = TEXT_INIT;
    if (!begun || file_read(begun, MARK_MOST, &noted, NULL) < 0 || !noted.length)
        return HETZNER_ACCOUNT_UNKNOWN;
    return text_is(text_string(&noted), mark) ? HETZNER_ACCOUNT_SAME : HETZNER_ACCOUNT_ANOTHER;
}

/* ---- what is under way ---- */

struct making {
    const struct target *target;
    const struct cloud_settings *settings;
    struct machine *machine;
    struct cloud_api *api;
    struct json *labels, *keys, *firewalls, *networks;
    int64_t placement_group;
    struct cloud_server_type type;
    struct cloud_image image;
    struct text public_key, first_key;
    char *user_data;
    bool is_first; /* no call before this one had begun it */
};

static void making_clear(struct making *making)
{
    struct json *lists[] = {making->labels, making->keys, making->firewalls, making->networks};
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        json_free(lists[i]);
    cloud_server_type_clear(&making->type);
    cloud_image_clear(&making->image);
    text_clear(&making->public_key);
    if (making->first_key.bytes)
        explicit_bzero(making->first_key.bytes, making->first_key.room);
    text_clear(&making->first_key);
    if (making->user_data)
        memory_free_secret(making->user_data, strlen(making->user_data));
    cloud_api_close(&making->api);
}

/* ---- here ---- */

static int prepare_folder(struct making *making, struct error *err)
{
    const char *folder = making->machine->directory;
    AUTO_FREE char *public = file_join(folder, "key.pub"), *begun = file_join(folder, BEGUN);
    AUTO_FREE char *comment = xasprintf("triphase-%s", making->machine->target);
    if (file_make_dirs(folder, 0700, err) < 0 ||
        (!file_exists(public) && machine_folder_make_key(folder, "key", comment, err) < 0) ||
        machine_folder_read(folder, "key.pub", &making->public_key, err) < 0)
        return -1;
    if (hetzner_host_keys_are_learnt(making->target) &&
        hetzner_host_keys_prepare(making->machine, &making->first_key, err) < 0)
        return -1;
    if (hetzner_make_user_data(making->target, text_string(&making->first_key), &making->user_data, err) < 0)
        return -1;
    AUTO_FREE char *mark = cloud_api_mark(making->api, making->machine->id);
    making->is_first = !file_exists(begun);
    return file_replace(begun, mark, strlen(mark), 0600, err) < 0 || machine_folder_settle(folder, err) < 0 ||
                   machine_folder_give(folder, files, COUNT_OF(files), err) < 0
               ? -1
               : 0;
}

/* ---- what is there ---- */

static void warn(const char *warning)
{
    if (warning)
        step_log_say("%s", warning);
}

static int look_up(struct making *making, struct error *err)
{
    const struct cloud_settings *settings = making->settings;
    struct cloud_api *api = making->api;
    if (cloud_lookup_server_type(api, settings->server_type, &making->type, NULL, err) < 0 ||
        cloud_lookup_image(api, settings->image, making->type.architecture, &making->image, NULL, err) < 0 ||
        cloud_lookup_all(api, CLOUD_SSH_KEY, &settings->ssh_keys, &making->keys, NULL, err) < 0 ||
        cloud_lookup_all(api, CLOUD_FIREWALL, &settings->firewalls, &making->firewalls, NULL, err) < 0 ||
        cloud_lookup_all(api, CLOUD_NETWORK, &settings->networks, &making->networks, NULL, err) < 0)
        return -1;
    warn(making->type.warning);
    warn(making->image.warning);
    return settings->placement_group ? cloud_lookup(api, CLOUD_PLACEMENT_GROUP, settings->placement_group,
                                                    &making->placement_group, NULL, err)
                                     : 0;
}

/* ---- what is made beside the server ---- */

/* Type and key, whatever comment stands behind them. */
static bool is_same_key(const char *a, const char *b)
{
    size_t type = strcspn(a, " "), length = type + 1 + (a[type] ? strcspn(a + type + 1, " \n") : 0);
    return a[type] && strncmp(a, b, length) == 0 && strcspn(b + type + 1, " \n") == length - type - 1;
}

/* One of our name that an earlier call made is as good, where it is of the same content. 1 with its id, 0
 * where there is none. */
static int adopt(struct making *making, enum hetzner_kind kind, int64_t *id, struct error *err)
{
    const struct machine *machine = making->machine;
    AUTO_JSON *found = NULL;
    if (hetzner_find(making->api, kind, machine->id, machine->reference, &found, err) < 0)
        return -1;
    const struct json *first = json_at(found, 0);
    if (!first)
        return 0;
    *id = json_get_integer(first, "id", 0);
    return kind != HETZNER_KEY ||
                   is_same_key(json_get_string(first, "public_key", ""), text_string(&making->public_key))
               ? 1
               : error_set(err, ERROR_PROVIDER, "the cloud has another ssh key of the name %s: remove it",
                           machine->reference);
}

/* The very first thing was refused: there is nothing to be found, with this token or with another. */
static void forget_begun(const struct machine *machine)
{
    AUTO_FREE char *begun = file_join(machine->directory, BEGUN);
    unlink(begun);
}

static int post_beside(struct making *making, enum hetzner_kind kind, const char *member,
                       const struct json *body, int64_t *id, struct error *err)
{
    AUTO_FREE char *path = xasprintf("/%s", hetzner_kind_path(kind));
    for (int tries = 0;; tries++) {
        AUTO_JSON *reply = NULL;
        AUTO_ERROR why = ERROR_INIT;
        enum cloud_class class = CLOUD_NONE;
        if (cloud_api_post(making->api, path, body, &reply, &class, &why) == 0) {
            *id = json_get_integer(json_get(reply, member), "id", 0);
            return cloud_api_await(making->api, reply, NULL, err);
        }
        if (class != CLOUD_TRANSIENT && class != CLOUD_NOT_UNIQUE) {
            if (making->is_first && kind == HETZNER_KEY && !tries)
                forget_begun(making->machine);
            return error_move(err, &why);
        }
        int found = adopt(making, kind, id, err);
        if (found)
            return found < 0 ? -1 : 0;
        if (class != CLOUD_TRANSIENT || tries == POSTS_MOST ||
            !cloud_clock_pause(cloud_api_clock(making->api), cloud_clock_backoff(tries)))
            return error_move(err, &why);
    }
}

static int make_beside(struct making *making, struct error *err)
{
    struct machine *machine = making->machine;
    AUTO_JSON *key = hetzner_order_key(machine->reference, text_string(&making->public_key), making->labels);
    AUTO_JSON *firewall = hetzner_order_firewall(machine->reference, making->settings, making->labels);
    int64_t id = 0;
    if (post_beside(making, HETZNER_KEY, "ssh_key", key, &id, err) < 0)
        return error_prefix(err, "the machine's ssh key");
    json_append(making->keys, json_new_integer(id));
    json_set_integer(machine->resources, "ssh_key", id);
    if (!making->settings->firewall_in.count)
        return 0;
    if (post_beside(making, HETZNER_FIREWALL, "firewall", firewall, &id, err) < 0)
        return error_prefix(err, "the machine's firewall");
    json_append(making->firewalls, json_new_integer(id));
    json_set_integer(machine->resources, "firewall", id);
    return 0;
}

/* ---- the server ---- */

static int fill(const struct making *making, const struct json *server, struct error *err)
{
    const struct target *target = making->target;
    const struct provider_facts *facts = provider_facts(target->provider);
    struct machine *machine = making->machine;
    struct json *resources = machine->resources;
    AUTO_FREE char *address = hetzner_order_address(server);
    AUTO_FREE char *problem = address ? ssh_rules_address_problem(address) : NULL;
    AUTO_FREE char *location =
        text_shown(json_get_string(json_get(server, "location"), "name",
                                   json_get_string(server, "location", "a place that is not told")));
    json_set_integer(resources, "server", json_get_integer(server, "id", 0));
    json_set_string(resources, "location", location);
    if (problem)
        return error_set(err, ERROR_PROVIDER, "the cloud says of the server %s an address that is none: %s",
                         machine->reference, problem);
    free(machine->address);
    machine->address = TAKE(address);
    machine->port = target->port ? target->port : facts->port;
    free(machine->user);
    machine->user = xstrdup(target->user ? target->user : facts->user);
    free(machine->key);
    machine->key = file_join(machine->directory, "key");
    free(machine->jump);
    machine->jump = xstrdup_or_null(target->jump);
    json_set_string(resources, MACHINE_HOST_KEYS_BY, hetzner_host_keys_by(target));
    return 0;
}

static int make_server(struct making *making, struct error *err)
{
    const struct hetzner_parts parts = {.name = making->machine->reference,
                                        .server_type = making->type.name,
                                        .user_data = making->user_data,
                                        .image = making->image.id,
                                        .placement_group = making->placement_group,
                                        .keys = making->keys,
                                        .firewalls = making->firewalls,
                                        .networks = making->networks,
                                        .labels = making->labels};
    AUTO_JSON *body = hetzner_order_server(&parts, making->settings), *server = NULL;
    const struct cloud_server_wish wish = {.body = body,
                                           .locations = &making->settings->locations,
                                           .type = &making->type};
    if (cloud_create_server(making->api, &wish, &server, NULL, err) < 0)
        return -1;
    if (fill(making, server, err) < 0)
        return -1;
    if (!making->machine->address)
        return error_set(err, ERROR_PROVIDER, "the server %s runs, and the cloud tells no address of it",
                         making->machine->reference);
    step_log_say("server %lld (%s) runs in %s: %s",
                 (long long)json_get_integer(making->machine->resources, "server", 0),
                 making->machine->reference,
                 json_get_string(making->machine->resources, "location", "a place that is not told"),
                 making->machine->address);
    return 0;
}

static int know_host(const struct making *making, struct deadline deadline, struct error *err)
{
    struct machine *machine = making->machine;
    if (hetzner_host_keys_are_learnt(making->target) &&
        hetzner_host_keys_learn(making->target, machine, deadline, err) < 0)
        return -1;
    step_log_say("host keys: by %s", hetzner_host_keys_by(making->target));
    return 0;
}

int hetzner_make(const struct target *target, struct machine *machine, struct error *err)
{
    const struct deadline deadline = deadline_in(target->provision_ns);
    __attribute__((cleanup(making_clear))) struct making making = {.target = target,
                                                                   .settings = &target->cloud,
                                                                   .machine = machine};
    AUTO_FREE char *project = machine_project(machine);
    AUTO_FREE char *project_id = project ? identity_id(project) : NULL;
    making.labels = hetzner_order_labels(&target->cloud, machine, project_id);
    if (hetzner_account_open(target, machine, target->provision_ns, &making.api, err) < 0 ||
        look_up(&making, err) < 0 || prepare_folder(&making, err) < 0 || make_beside(&making, err) < 0 ||
        make_server(&making, err) < 0)
        return -1;
    return know_host(&making, deadline, err);
}

bool hetzner_make_was_begun(const struct machine *machine)
{
    AUTO_FREE char *begun = machine->directory ? file_join(machine->directory, BEGUN) : NULL;
    return machine->made_ns || (begun && file_exists(begun));
}

void hetzner_make_forget(const struct machine *machine)
{
    if (!machine->directory)
        return;
    hetzner_host_keys_forget(machine);
    machine_folder_forget(machine->directory, files, COUNT_OF(files));
}
