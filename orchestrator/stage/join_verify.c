#include "stage/join_verify.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/step_log.h"
#include "stage/joining.h"
#include "stage/own_device.h"

/* Over ssh: nobody but the host hears its daemon's news. */
#define ASK_AGAIN NS_PER_S
/* With less than that left nobody is asked again. */
#define LAST_ASK (2 * NS_PER_S)

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
        if (joining_ask_host(joining, &status, &there, err) < 0)
            return error_prefix(err, "target %s: its tailnet is asked of the host itself",
                                joining->target->name);
        if (!there)
            return joining_fail(
                joining, ERROR_PROVIDER, "tailnet-state", err,
                "the host has no tailscaled that answers; what brings it into the tailnet is the "
                "recipe's 'bootstrap'");
        if (text_is(status.state, "Running") && status.addresses.count) {
            *out = status;
            status = (struct tailnet_status){0};
            return 0;
        }
        bool starting = text_is(status.state, "Starting") || text_is(status.state, "NoState") ||
                        text_is(status.state, "Running");
        if (!starting || deadline_left(joining->deadline) < LAST_ASK)
            return joining_fail(joining, ERROR_PROVIDER, "tailnet-state", err,
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
        return joining_fail(
            joining, ERROR_PROVIDER, "tailnet-tags", err,
            "its device has %s, and %s was wanted: a device that is there keeps its tags, so log it out "
            "('tailscale logout' on the host) and give it a key of these tags",
            has, tags);
    if (!tailnet_sight_is_called(&as_seen, joining->label))
        return joining_fail(
            joining, ERROR_PROVIDER, "tailnet-name", err,
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
            return joining_fail_twice(joining, text, address, err);
        }
    }
    *seen_well = own && own->connected && tailnet_sight_same_tags(&own->tags, &joining->target->tailnet.tags);
    return 0;
}

/* Until whoever can be asked here sees it. */
static int await_sight(struct joining *joining, const char *address, const char **source, struct error *err)
{
    AUTO_TAILNET_SIGHT_WAIT wait = tailnet_sight_wait_begin(&joining->question, joining->deadline);
    for (;;) {
        AUTO_TAILNET_SIGHT sight = {0};
        bool seen_well = false;
        if (joining_look_around(joining, &sight, err) < 0)
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
        if (deadline_left(joining->deadline) < LAST_ASK)
            return joining_fail(
                joining, ERROR_PROVIDER, "tailnet-absent", err,
                "the host says that it is in the tailnet at %s, but %s; a policy may hide it from this "
                "machine",
                address,
                text_is(sight.source, "api")
                    ? "the API does not know it so"
                    : "this machine's tailscaled has no such peer that is connected and has its tags");
        tailnet_sight_wait_on(&wait, &sight, joining->deadline);
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
    own_device_note(joining->machine, joining->target,
                    &(struct own_device){.addresses = &status.addresses,
                                         .tags = &status.self.tags,
                                         .node = status.self.id,
                                         .name = status.self.dns_name,
                                         .seen_by = source,
                                         .adopted = json_get_bool(joining->machine->tailnet, "adopted")});
    step_log_say("it is in the tailnet as %s at %s (seen by: %s)", status.self.dns_name,
                 status.addresses.items[0], source);
    return 0;
}

int join_verify(const struct project *project, const struct host *host, struct machine *machine,
                const struct json *request, struct json *result, struct error *err)
{
    struct joining joining;
    joining_begin(&joining, project, host, machine, request, result);
    return joining_end(&joining, verify(&joining, err), result);
}
