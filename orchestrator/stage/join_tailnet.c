#include "stage/join_tailnet.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "event/step_log.h"
#include "stage/tailnet_host.h"
#include "stage/tailnet_sight.h"

#include <string.h>

#define ASK_AGAIN NS_PER_S

struct joining {
    const struct project *project;
    const struct host *host;
    const struct target *target;
    struct machine *machine;
    const struct json *request;
    struct tailnet_question question;
    struct deadline deadline;
    char *label;           /* what the device is to be called */
    struct json *evidence; /* owned by the result */
    const char *cause;     /* of a failure; static */
};

static int fail(struct joining *joining, enum error_kind kind, const char *cause, struct error *err,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
static int fail(struct joining *joining, enum error_kind kind, const char *cause, struct error *err,
                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *message = xvasprintf(format, args);
    va_end(args);
    joining->cause = cause;
    return error_set(err, kind, "target %s: %s", joining->target->name, message);
}

/* ------------------------------------------------------------ begin and end */

static struct json *list_of(const struct words *words)
{
    struct json *list = json_new_array();
    for (size_t i = 0; i < words->count; i++)
        json_append(list, json_new_string(words->items[i]));
    return list;
}

static void begin(struct joining *joining, struct json *result)
{
    const struct target *target = joining->target;
    const struct tailnet_login *login = &target->tailnet;
    struct json *wanted = json_new_object();
    joining->question = (struct tailnet_question){.target = target,
                                                  .directory = joining->project->directory,
                                                  .socket = target->tailscale_socket,
                                                  .login_server = login->login_server};
    joining->deadline = deadline_in(json_get_integer(joining->request, "bound_ns", 120 * NS_PER_S));
    joining->label = tailnet_sight_label(login->hostname ? login->hostname : target->host_name);
    joining->evidence = json_new_object();
    json_set_string(wanted, "name", joining->label);
    json_set(wanted, "tags", list_of(&login->tags));
    json_set(joining->evidence, "wanted", wanted);
    json_set(result, "evidence", json_keep(joining->evidence));
}

static int end(struct joining *joining, int status, struct json *result)
{
    if (status < 0 && joining->cause)
        json_set_string(result, "cause", joining->cause);
    json_free(joining->evidence);
    free(joining->label);
    return status;
}

/* ------------------------------------------------------------ what is known */

static void put_sight(struct joining *joining, const struct tailnet_sight *sight)
{
    struct json *list = json_new_array();
    for (size_t i = 0; i < sight->count; i++)
        if (tailnet_sight_is_namesake(&sight->devices[i], joining->label))
            json_append(list, tailnet_sight_json(&sight->devices[i]));
    json_set_string(joining->evidence, "asked", sight->source);
    json_set_string(joining->evidence, "why", sight->why);
    json_set_integer(joining->evidence, "devices", (int64_t)sight->count);
    json_set(joining->evidence, "of_that_name", list);
}

static int look_around(struct joining *joining, struct tailnet_sight *out, struct error *err)
{
    if (tailnet_sight_take(&joining->question, true, joining->deadline, out, err) < 0) {
        joining->cause = "tailnet-api";
        return error_prefix(err, "target %s", joining->target->name);
    }
    put_sight(joining, out);
    return 0;
}

static bool has_joined_before(const struct machine *machine)
{
    return json_get_string(machine->tailnet, "address", NULL);
}

/* It was to join under a name that was free then. */
static bool was_joining(const struct machine *machine)
{
    return machine->tailnet && !has_joined_before(machine) && !json_get_bool(machine->tailnet, "adopted");
}

static const char *address_of(const struct words *addresses, bool six)
{
    for (size_t i = 0; i < addresses->count; i++)
        if ((strchr(addresses->items[i], ':') != NULL) == six)
            return addresses->items[i];
    return NULL;
}

/* What the machine's row says of its device. */
static void note_device(struct joining *joining, const struct words *addresses, const char *node,
                        const char *name, const struct words *tags, const char *seen_by, bool adopted)
{
    const char *socket = joining->target->tailscale_socket, *four = address_of(addresses, false),
               *six = address_of(addresses, true);
    struct json *device = json_new_object();
    json_set_string(device, "address", four ? four : six);
    json_set_string(device, "address6", six);
    json_set_string(device, "node", node);
    json_set_string(device, "name", name);
    json_set(device, "tags", list_of(tags));
    json_set_string(device, "login_server", joining->target->tailnet.login_server);
    json_set_string(device, "socket", socket);
    json_set_string(device, "seen_by", seen_by);
    json_set_bool(device, "adopted", adopted);
    json_free(joining->machine->tailnet);
    joining->machine->tailnet = device;
}

static void note_intent(struct joining *joining)
{
    struct json *device = json_new_object();
    json_set_string(device, "name", joining->label);
    json_set_string(device, "login_server", joining->target->tailnet.login_server);
    json_set_string(device, "socket", joining->target->tailscale_socket);
    json_free(joining->machine->tailnet);
    joining->machine->tailnet = device;
}

static struct tailnet_host over_direct(const struct joining *joining, const char *sockets)
{
    return (struct tailnet_host){*joining->host, TRANSPORT_DIRECT, sockets};
}

static int ask_host(struct joining *joining, struct tailnet_status *status, bool *there, struct error *err)
{
    const char *run = json_get_string(joining->request, "run", "");
    AUTO_FREE char *sockets = layout_sockets(run, TRANSPORT_DIRECT);
    const struct tailnet_host host = over_direct(joining, sockets);
    const char *cause = NULL;
    if (tailnet_host_ask(&host, joining->deadline, status, there, &cause, err) < 0) {
        joining->cause = cause;
        return -1;
    }
    struct json *said = json_new_object();
    json_set_string(said, "state", *there ? status->state : "absent");
    if (*there) {
        json_set_string(said, "name", status->self.dns_name);
        json_set(said, "addresses", list_of(&status->addresses));
        json_set(said, "tags", list_of(&status->self.tags));
    }
    json_set(joining->evidence, "host", said);
    return 0;
}

/* ------------------------------------------------------------ before its bootstrap */

/* The device of this machine; NULL: it has none there, or none that is known to be its own. */
static const struct tailnet_seen *find_own(struct joining *joining, const struct tailnet_sight *sight,
                                           bool *adopted)
{
    const struct machine *machine = joining->machine;
    const struct tailnet_seen *found = NULL;
    *adopted = json_get_bool(machine->tailnet, "adopted");
    if (has_joined_before(machine))
        return tailnet_sight_of(sight, machine->tailnet);
    for (size_t i = 0; !found && i < sight->count; i++)
        if (tailnet_sight_is_called(&sight->devices[i], joining->label))
            found = &sight->devices[i];
    if (!found || was_joining(machine))
        return found;
    /* Nobody but its own phases would join a host that was just made. Others may have been in the tailnet
     * before triphase met them. */
    AUTO_TAILNET_STATUS status = {0};
    bool there = false;
    *adopted = true;
    if (!machine_was_there(machine))
        return json_get_bool(joining->request, "bootstraps") ? NULL : found;
    if (ask_host(joining, &status, &there, NULL) < 0)
        return json_get_bool(joining->request, "bootstraps") ? NULL : found;
    for (size_t i = 0; there && i < status.addresses.count; i++)
        if (words_have(&found->addresses, status.addresses.items[i]))
            return found;
    return NULL;
}

/* Why a stale device is not removed; NULL: it may be. */
static char *keeps_it(const struct joining *joining, const struct tailnet_sight *sight,
                      const struct tailnet_seen *seen)
{
    const struct words *tags = &joining->target->tailnet.tags;
    const struct json *known = json_get(joining->request, "known");
    if (!joining->target->stale_remove)
        return xstrdup("'stale: remove' would remove one that is not connected, carries all of the target's "
                       "tags and belongs to none of your machines");
    if (!sight->api || !seen->id)
        return xasprintf("it can be removed by the API only, and that cannot be asked%s%s",
                         sight->why ? ": " : "", sight->why ? sight->why : "");
    if (seen->connected)
        return xstrdup("it is connected, so it is left alone");
    for (size_t i = 0; i < tags->count; i++)
        if (!words_have(&seen->tags, tags->items[i]))
            return xasprintf("it does not carry %s, so it is left alone", tags->items[i]);
    if (!tags->count)
        return xstrdup("the target has no tags by which it could be known as its own");
    for (size_t i = 0; i < json_count(known); i++)
        if (words_have(&seen->addresses, json_get_string(json_at(known, i), "address", "")))
            return xasprintf("it is the machine of target %s",
                             json_get_string(json_at(known, i), "target", "?"));
    return NULL;
}

static int twice(struct joining *joining, const char *other, const char *address, struct error *err)
{
    return fail(
        joining, ERROR_PROVIDER, "tailnet-twice", err,
        "a second device of its name is in the tailnet: %s, beside its own at %s; remove the one that is "
        "not meant",
        other, address);
}

/* Every device but its own that has the name, or asked for it. */
static int clear_the_name(struct joining *joining, const struct tailnet_sight *sight,
                          const struct tailnet_seen *own, struct error *err)
{
    struct json *removed = json_new_array();
    json_set(joining->evidence, "removed", removed);
    for (size_t i = 0; i < sight->count; i++) {
        const struct tailnet_seen *seen = &sight->devices[i];
        if (seen == own || !tailnet_sight_is_namesake(seen, joining->label))
            continue;
        AUTO_FREE char *text = tailnet_sight_text(seen), *kept = keeps_it(joining, sight, seen);
        if (kept && own)
            return twice(joining, text, own->addresses.count ? own->addresses.items[0] : "no address", err);
        if (kept)
            return fail(
                joining, ERROR_PROVIDER, "tailnet-stale", err,
                "the device %s is in the tailnet already, so that this host would be called %s-1: %s. "
                "Remove it there if it is stale, or give the target another 'tailnet: {hostname: …}'",
                text, joining->label, kept);
        if (tailnet_api_delete_device(sight->api, seen->id, err) < 0) {
            joining->cause = "tailnet-api";
            return error_prefix(err, "target %s: the stale device %s cannot be removed",
                                joining->target->name, text);
        }
        step_log_say("removed the stale device %s", text);
        json_append(removed, json_new_string(text));
    }
    return 0;
}

/* Whether it is as wanted. `seen`: as others see it. */
static bool is_as_wanted(const struct joining *joining, const struct tailnet_seen *seen)
{
    return seen->connected && tailnet_sight_is_called(seen, joining->label) &&
           tailnet_sight_same_tags(&seen->tags, &joining->target->tailnet.tags);
}

/* Nobody else could be asked. */
static int look_at_host_alone(struct joining *joining, bool *joined, struct error *err)
{
    AUTO_TAILNET_STATUS status = {0};
    bool there = false;
    if (!joining->machine->tailnet && !machine_was_there(joining->machine))
        return 0;
    if (ask_host(joining, &status, &there, err) < 0)
        return -1;
    *joined = there && text_is(status.state, "Running") && status.addresses.count &&
              tailnet_sight_same_tags(&status.self.tags, &joining->target->tailnet.tags);
    bool adopted = !joining->machine->tailnet || json_get_bool(joining->machine->tailnet, "adopted");
    if (*joined)
        note_device(joining, &status.addresses, status.self.id, status.self.dns_name, &status.self.tags,
                    "host", adopted);
    return 0;
}

static int look(struct joining *joining, bool *joined, struct error *err)
{
    AUTO_TAILNET_SIGHT sight = {0};
    if (look_around(joining, &sight, err) < 0)
        return -1;
    if (!sight.source) {
        step_log_say("nobody here can say which devices the tailnet has: %s", sight.why);
        if (look_at_host_alone(joining, joined, err) < 0)
            return -1;
        if (!*joined)
            note_intent(joining);
        return 0;
    }
    bool adopted = false;
    const struct tailnet_seen *own = find_own(joining, &sight, &adopted);
    if (clear_the_name(joining, &sight, own, err) < 0)
        return -1;
    *joined = own && is_as_wanted(joining, own);
    if (own)
        note_device(joining, &own->addresses, own->node, own->name, &own->tags, sight.source, adopted);
    if (!*joined && !adopted)
        note_intent(joining);
    AUTO_FREE char *text = own ? tailnet_sight_text(own) : NULL;
    step_log_say("the name %s is %s%s (asked: %s)", joining->label, own ? "that of its own device " : "free",
                 own ? text : "", sight.source);
    return 0;
}

int join_tailnet_look(const struct project *project, const struct host *host, struct machine *machine,
                      const struct json *request, struct json *result, struct error *err)
{
    struct joining joining = {
        .project = project, .host = host, .target = host->target, .machine = machine, .request = request};
    bool joined = false;
    begin(&joining, result);
    int status = look(&joining, &joined, err);
    json_set_bool(joining.evidence, "joined", joined);
    json_set_bool(result, "joined", joined);
    return end(&joining, status, result);
}

/* ------------------------------------------------------------ behind it */

static char *tags_text(const struct words *tags)
{
    return tags->count ? words_join(tags, " ") : xstrdup("no tags");
}

/* Until its daemon is connected, or says that it never will be. */
static int await_host(struct joining *joining, struct tailnet_status *out, struct error *err)
{
    for (;;) {
        AUTO_TAILNET_STATUS status = {0};
        bool there = false;
        if (ask_host(joining, &status, &there, err) < 0)
            return error_prefix(err, "target %s: its tailnet is asked of the host itself",
                                joining->target->name);
        if (!there)
            return fail(joining, ERROR_PROVIDER, "tailnet-state", err,
                        "the host has no tailscaled that answers; what brings it into the tailnet is the "
                        "recipe's 'bootstrap'");
        if (text_is(status.state, "Running") && status.addresses.count) {
            *out = status;
            status = (struct tailnet_status){0};
            return 0;
        }
        bool starting = text_is(status.state, "Starting") || text_is(status.state, "NoState") ||
                        text_is(status.state, "Running");
        if (!starting || deadline_left(joining->deadline) < 2 * ASK_AGAIN)
            return fail(joining, ERROR_PROVIDER, "tailnet-state", err,
                        "the host's tailscaled is in the state %s%s", status.state,
                        text_is(status.state, "NeedsMachineAuth")
                            ? ": somebody has to approve the device in the tailnet's admin console"
                            : "");
        moment_sleep(ASK_AGAIN);
    }
}

static int check_itself(struct joining *joining, const struct tailnet_status *status, struct error *err)
{
    const struct words *wanted = &joining->target->tailnet.tags;
    const struct tailnet_seen as_seen = {.name = status->self.dns_name, .hostname = status->self.host_name};
    AUTO_FREE char *has = tags_text(&status->self.tags), *tags = tags_text(wanted);
    if (!tailnet_sight_same_tags(&status->self.tags, wanted))
        return fail(
            joining, ERROR_PROVIDER, "tailnet-tags", err,
            "its device has %s, and %s was wanted: a device that is there keeps its tags, so log it out "
            "('tailscale logout' on the host) and give it a key of these tags",
            has, tags);
    if (!tailnet_sight_is_called(&as_seen, joining->label))
        return fail(joining, ERROR_PROVIDER, "tailnet-name", err,
                    "its device is called %s, not %s: another device of that name was in the tailnet when it "
                    "joined",
                    status->self.dns_name, joining->label);
    return 0;
}

/* Whether the others see it as it sees itself; false: not yet. */
static int check_sight(struct joining *joining, const struct tailnet_sight *sight, const char *address,
                       bool *seen_well, struct error *err)
{
    const struct tailnet_seen *own = NULL;
    for (size_t i = 0; i < sight->count; i++) {
        const struct tailnet_seen *seen = &sight->devices[i];
        bool is_own = words_have(&seen->addresses, address);
        if (is_own && !own) {
            own = seen;
        } else if (is_own || tailnet_sight_is_namesake(seen, joining->label)) {
            AUTO_FREE char *text = tailnet_sight_text(seen);
            return twice(joining, text, address, err);
        }
    }
    *seen_well = own && own->connected && tailnet_sight_same_tags(&own->tags, &joining->target->tailnet.tags);
    return 0;
}

/* Until whoever can be asked here sees it. */
static int await_sight(struct joining *joining, const char *address, const char **source, struct error *err)
{
    for (;;) {
        AUTO_TAILNET_SIGHT sight = {0};
        bool seen_well = false;
        if (look_around(joining, &sight, err) < 0)
            return -1;
        *source = sight.source ? sight.source : "host";
        if (!sight.source) {
            step_log_say("that it is there says the host alone: %s", sight.why);
            return 0;
        }
        if (check_sight(joining, &sight, address, &seen_well, err) < 0)
            return -1;
        if (seen_well)
            return 0;
        if (deadline_left(joining->deadline) < 2 * ASK_AGAIN)
            return fail(
                joining, ERROR_PROVIDER, "tailnet-absent", err,
                "the host says that it is in the tailnet at %s, but %s; a policy may hide it from this "
                "machine",
                address,
                text_is(sight.source, "api")
                    ? "the API does not know it so"
                    : "this machine's tailscaled has no such peer that is connected and has its tags");
        moment_sleep(ASK_AGAIN);
    }
}

/* It has been used, or never will be. Where that fails it ends by itself. */
static void delete_key(struct joining *joining)
{
    const char *id = json_get_string(joining->request, "key_id", NULL);
    struct tailnet_api *api = NULL;
    AUTO_ERROR err = ERROR_INIT;
    if (!id)
        return;
    int status = tailnet_api_open(&joining->target->tailnet, joining->project->directory, joining->deadline,
                                  &api, &err);
    if (status == 0 && api)
        status = tailnet_api_delete_key(api, id, &err);
    if (status < 0)
        step_log_say("the key that it joined with could not be deleted, and ends by itself: %s",
                     error_text(&err));
    json_set_bool(joining->evidence, "key_deleted", status == 0 && api);
    tailnet_api_close(&api);
}

static int verify(struct joining *joining, struct error *err)
{
    AUTO_TAILNET_STATUS status = {0};
    const char *source = NULL;
    delete_key(joining);
    if (await_host(joining, &status, err) < 0 || check_itself(joining, &status, err) < 0 ||
        await_sight(joining, status.addresses.items[0], &source, err) < 0)
        return -1;
    note_device(joining, &status.addresses, status.self.id, status.self.dns_name, &status.self.tags, source,
                json_get_bool(joining->machine->tailnet, "adopted"));
    step_log_say("it is in the tailnet as %s at %s (seen by: %s)", status.self.dns_name,
                 status.addresses.items[0], source);
    return 0;
}

int join_tailnet_verify(const struct project *project, const struct host *host, struct machine *machine,
                        const struct json *request, struct json *result, struct error *err)
{
    struct joining joining = {
        .project = project, .host = host, .target = host->target, .machine = machine, .request = request};
    begin(&joining, result);
    return end(&joining, verify(&joining, err), result);
}
