/* The provider `hetzner`: servers of Hetzner Cloud, by its API (orchestrator/cloud). */
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "cloud/api.h"
#include "config/provider_facts.h"
#include "net/http.h"
#include "provider/hetzner_account.h"
#include "provider/hetzner_host_keys.h"
#include "provider/hetzner_list.h"
#include "provider/hetzner_make.h"
#include "provider/hetzner_order.h"
#include "provider/hetzner_remove.h"
#include "provider/provider.h"
#include "sandbox/owner.h"
#include "store/identity.h"

#include <inttypes.h>

static int check(const struct target *target, struct error *err)
{
    static const char *const programs[] = {"ssh", "ssh-keygen"};
    for (size_t i = 0; i < COUNT_OF(programs); i++) {
        AUTO_FREE char *found = file_find_program(programs[i], NULL);
        if (!found)
            return error_set(err, ERROR_MISSING,
                             "target %s: the program %s is missing: apt-get install -y openssh-client",
                             target->name, programs[i]);
    }
    return http_load(err);
}

static int plan(const struct target *target, struct machine *machine, struct error *err)
{
    char name[SANDBOX_NAME_SIZE];
    AUTO_FREE char *project = machine_project(machine), *user_data = NULL;
    if (sandbox_name(machine->id, name, err) < 0 || hetzner_account_check(target, project, err) < 0 ||
        hetzner_make_user_data(target, NULL, &user_data, err) < 0)
        return -1;
    if (target->cloud.firewall_in.count > HETZNER_RULES_MOST)
        return error_set(err, ERROR_PROJECT, "target %s: a firewall has %d rules at most, and 'in' has %zu",
                         target->name, (int)HETZNER_RULES_MOST, target->cloud.firewall_in.count);
    int port = target->port ? target->port : provider_facts(target->provider)->port;
    if (hetzner_host_keys_are_learnt(target) && !hetzner_order_lets_in(&target->cloud, port))
        return error_set(err, ERROR_PROJECT,
                         "target %s: no rule under 'in' of its firewall lets in tcp/%d, over which its host "
                         "keys are to be read",
                         target->name, port);
    free(machine->reference);
    machine->reference = xstrdup(name);
    json_free(machine->resources);
    machine->resources = json_new_object();
    json_set_string(machine->resources, "name", name);
    json_set(machine->resources, HETZNER_MAKING, hetzner_order_making(&target->cloud));
    json_set_string(machine->resources, MACHINE_HOST_KEYS_BY, hetzner_host_keys_by(target));
    hetzner_account_note(target, machine);
    return 0;
}

static bool is_same(const struct json *a, const struct json *b)
{
    const char *key;
    struct json *value;
    for (void *at = NULL; json_each(a, &at, &key, &value);)
        if (!text_is(json_string(value, ""), json_get_string(b, key, NULL)))
            return false;
    return json_count(a) == json_count(b);
}

/* triphase's own labels, those of the file, and the expiry, as they are now; no request where they are there
 * already. */
static int relabel(struct cloud_api *api, const struct target *target, const struct machine *machine,
                   const struct json *server, struct error *err)
{
    const struct json *labels = json_get(server, "labels");
    AUTO_FREE char *project = machine_project(machine);
    AUTO_FREE char *project_id = project ? identity_id(project) : NULL;
    struct json *wanted = hetzner_order_relabel(labels, &target->cloud, machine, project_id);
    AUTO_JSON *body = json_new_object();
    AUTO_FREE char *path = xasprintf("/servers/%" PRId64, json_get_integer(server, "id", 0));
    json_set(body, "labels", wanted);
    return is_same(wanted, labels) ? 0 : cloud_api_put(api, path, body, NULL, NULL, err);
}

/* Found absent with another token, or at another endpoint, than it was made with: that tells nothing. */
static int nothing_here(const struct machine *machine, struct error *err)
{
    return error_set(
        err, ERROR_PROVIDER,
        "nothing of %s of target %s is where this token leads, and it was made with another one, "
        "or at another endpoint: give that one; where it is really gone, 'triphase forget %s'",
        machine->reference, machine->target, machine->target);
}

/* 1 running, 0 not yet, -1 it is not going to be. */
static int look_at(struct cloud_api *api, const struct target *target, const struct machine *machine,
                   const char **status, struct error *err)
{
    static const char *const comes[] = {"running",    "initializing", "starting", "migrating",
                                        "rebuilding", "unknown",      NULL};
    int64_t id = json_get_integer(machine->resources, "server", 0);
    AUTO_FREE char *path = xasprintf("/servers/%" PRId64, id);
    AUTO_JSON *said = NULL;
    enum cloud_class class = CLOUD_NONE;
    AUTO_ERROR why = ERROR_INIT;
    if (cloud_api_get(api, path, &said, &class, &why) < 0) {
        if (class != CLOUD_ABSENT)
            return error_move(err, &why);
        if (hetzner_make_account(machine, api) == HETZNER_ACCOUNT_ANOTHER)
            return nothing_here(machine, err);
        return error_set(err, ERROR_PROVIDER, "the server %s (%" PRId64 ") of target %s is gone: destroy it",
                         machine->reference, id, machine->target);
    }
    const char *now = json_get_string(json_get(said, "server"), "status", "unknown");
    for (size_t i = 0; comes[i]; i++)
        if (text_is(now, comes[i])) {
            *status = comes[i];
            return i > 0 ? 0 : relabel(api, target, machine, json_get(said, "server"), err) < 0 ? -1 : 1;
        }
    AUTO_FREE char *shown = text_shown(now);
    return error_set(err, ERROR_PROVIDER,
                     "the server %s (%" PRId64 ") of target %s is '%s', not running: start it at the cloud",
                     machine->reference, id, machine->target, shown);
}

static int verify(const struct target *target, struct machine *machine, int64_t bound_ns, struct error *err)
{
    AUTO_CLOUD_API *api = NULL;
    const char *status = "unknown";
    if (!machine->address || !json_get_integer(machine->resources, "server", 0))
        return error_set(err, ERROR_PROVIDER, "the server of target %s was never made whole; destroy it",
                         machine->target);
    if (hetzner_account_open(target, machine, bound_ns, &api, err) < 0)
        return -1;
    for (int looks = 0;; looks++) {
        int runs = look_at(api, target, machine, &status, err);
        if (runs)
            return runs < 0 ? -1 : 0;
        if (!cloud_clock_pause(cloud_api_clock(api), cloud_clock_poll(looks)))
            return error_set(err, ERROR_DEADLINE, "the server %s of target %s is '%s' still",
                             machine->reference, machine->target, status);
    }
}

static int remove_server(const struct target *target, struct machine *machine, int64_t bound_ns,
                         struct error *err)
{
    AUTO_CLOUD_API *api = NULL;
    AUTO_FREE char *project = machine_project(machine);
    AUTO_FREE char *project_id = project ? identity_id(project) : NULL;
    char name[SANDBOX_NAME_SIZE];
    if (sandbox_name(machine->id, name, err) < 0)
        return -1;
    if (hetzner_make_was_begun(machine)) {
        struct hetzner_removal of = {.machine = machine->id, .name = name, .project_id = project_id};
        bool found = false;
        if (hetzner_account_open(target, machine, bound_ns, &api, err) < 0)
            return -1;
        enum hetzner_account account = hetzner_make_account(machine, api);
        for (int i = 0; i < HETZNER_KINDS && account == HETZNER_ACCOUNT_SAME; i++)
            of.ids[i] = json_get_integer(machine->resources, hetzner_kind_member((enum hetzner_kind)i), 0);
        if (hetzner_remove(api, &of, &found, err) < 0)
            return -1;
        if (!found && account == HETZNER_ACCOUNT_ANOTHER)
            return nothing_here(machine, err);
    }
    hetzner_make_forget(machine);
    return 0;
}

/* For what has no row: an account, and no machine. */
static int open_for(const struct project *project, const struct target *target, int64_t bound_ns,
                    struct cloud_api **out, struct error *err)
{
    return cloud_api_open(&target->cloud, project->directory, deadline_in(bound_ns), out, err);
}

static int list(const struct project *project, const struct target *target, struct listing *out,
                struct error *err)
{
    AUTO_CLOUD_API *api = NULL;
    return open_for(project, target, target->sweep_ns, &api, err) < 0 ? -1 : hetzner_list(api, out, err);
}

static int remove_listed(const struct project *project, const struct target *target,
                         const struct listed *listed, int64_t bound_ns, struct error *err)
{
    AUTO_CLOUD_API *api = NULL;
    if (!listed->machine || !id_is(listed->machine) || !listed->project_id)
        return error_set(err, ERROR_PROVIDER, "%s does not say whose it is: left alone", listed->what);
    const struct hetzner_removal of = {.machine = listed->machine,
                                       .name = listed->reference,
                                       .project_id = listed->project_id,
                                       .listed = true};
    return open_for(project, target, bound_ns, &api, err) < 0 ? -1 : hetzner_remove(api, &of, NULL, err);
}

static int expire(const struct target *target, const struct machine *machine, struct error *err)
{
    AUTO_CLOUD_API *api = NULL;
    AUTO_JSON *said = NULL;
    AUTO_FREE char *path = xasprintf("/servers/%" PRId64, json_get_integer(machine->resources, "server", 0));
    if (hetzner_account_open(target, machine, target->sweep_ns, &api, err) < 0 ||
        cloud_api_get(api, path, &said, NULL, err) < 0)
        return -1;
    return relabel(api, target, machine, json_get(said, "server"), err);
}

const struct provider provider_hetzner = {
    .check = check,
    .plan = plan,
    .make = hetzner_make,
    .verify = verify,
    .remove = remove_server,
    .list = list,
    .remove_listed = remove_listed,
    .expire = expire,
};
