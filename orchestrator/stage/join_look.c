#include "stage/join_look.h"

#include "base/memory.h"
#include "base/text.h"
#include "event/step_log.h"
#include "stage/joining.h"
#include "stage/own_device.h"
#include "stage/stale_device.h"

/* Whether one of its name is that of a host that nobody brought into the tailnet under it: nobody but its own
 * phases would join one that was just made, but others may have been there before triphase met them. */
static bool was_there_before(struct joining *joining, const struct tailnet_seen *found)
{
    AUTO_TAILNET_STATUS status = {0};
    bool there = false;
    if (!machine_was_there(joining->machine) || joining_ask_host(joining, &status, &there, NULL) < 0)
        return !json_get_bool(joining->request, "bootstraps");
    for (size_t i = 0; there && i < status.addresses.count; i++)
        if (words_have(&found->addresses, status.addresses.items[i]))
            return true;
    return false;
}

/* The device of this machine; NULL: it has none there, or none that is known to be its own. */
static const struct tailnet_seen *find_own(struct joining *joining, const struct tailnet_sight *sight,
                                           bool *adopted)
{
    const struct machine *machine = joining->machine;
    *adopted = json_get_bool(machine->tailnet, "adopted");
    if (own_device_has_joined(machine))
        return tailnet_sight_of(sight, machine->tailnet);
    const struct tailnet_seen *found = tailnet_sight_called(sight, joining->label);
    if (!found || own_device_was_joining(machine))
        return found;
    *adopted = was_there_before(joining, found);
    return *adopted ? found : NULL;
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
        AUTO_FREE char *text = tailnet_sight_text(seen),
                       *kept = stale_device_stays(joining->target, json_get(joining->request, "known"), sight,
                                                  seen);
        if (kept && own)
            return joining_fail_twice(joining, text,
                                      own->addresses.count ? own->addresses.items[0] : "no address", err);
        if (kept)
            return joining_fail(
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

static void note(struct joining *joining, const struct own_device *device)
{
    own_device_note(joining->machine, joining->target, device);
}

/* Nobody else could be asked. */
static int look_at_host_alone(struct joining *joining, bool *joined, struct error *err)
{
    AUTO_TAILNET_STATUS status = {0};
    bool there = false;
    if (!joining->machine->tailnet && !machine_was_there(joining->machine))
        return 0;
    if (joining_ask_host(joining, &status, &there, err) < 0)
        return -1;
    *joined = there && text_is(status.state, "Running") && status.addresses.count &&
              tailnet_sight_same_tags(&status.self.tags, &joining->target->tailnet.tags);
    bool adopted = !joining->machine->tailnet || json_get_bool(joining->machine->tailnet, "adopted");
    if (*joined)
        note(joining, &(struct own_device){.addresses = &status.addresses,
                                           .tags = &status.self.tags,
                                           .node = status.self.id,
                                           .name = status.self.dns_name,
                                           .seen_by = "host",
                                           .adopted = adopted});
    return 0;
}

static int look(struct joining *joining, bool *joined, struct error *err)
{
    AUTO_TAILNET_SIGHT sight = {0};
    if (joining_look_around(joining, &sight, err) < 0)
        return -1;
    if (!sight.source) {
        step_log_say("nobody here can say which devices the tailnet has: %s", sight.why);
        if (look_at_host_alone(joining, joined, err) < 0)
            return -1;
        if (!*joined)
            own_device_note_intent(joining->machine, joining->target, joining->label);
        return 0;
    }
    bool adopted = false;
    const struct tailnet_seen *own = find_own(joining, &sight, &adopted);
    if (clear_the_name(joining, &sight, own, err) < 0)
        return -1;
    *joined = own && is_as_wanted(joining, own);
    if (own)
        note(joining, &(struct own_device){.addresses = &own->addresses,
                                           .tags = &own->tags,
                                           .node = own->node,
                                           .name = own->name,
                                           .seen_by = sight.source,
                                           .adopted = adopted});
    if (!*joined && !adopted)
        own_device_note_intent(joining->machine, joining->target, joining->label);
    AUTO_FREE char *text = own ? tailnet_sight_text(own) : NULL;
    step_log_say("the name %s is %s%s (asked: %s)", joining->label, own ? "that of its own device " : "free",
                 own ? text : "", sight.source);
    return 0;
}

int join_look(const struct project *project, const struct host *host, struct machine *machine,
              const struct json *request, struct json *result, struct error *err)
{
    struct joining joining;
    bool joined = false;
    joining_begin(&joining, project, host, machine, request, result);
    int status = look(&joining, &joined, err);
    json_set_bool(joining.evidence, "joined", joined);
    json_set_bool(result, "joined", joined);
    return joining_end(&joining, status, result);
}
