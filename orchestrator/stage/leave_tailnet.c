#include "stage/leave_tailnet.h"

#include "base/deadline.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/step_log.h"
#include "stage/own_device.h"
#include "stage/tailnet_host.h"
#include "stage/tailnet_sight.h"

#include <string.h>

#define LOG_OUT_BOUND (30 * NS_PER_S)
/* What a host does later takes it a second, and at most 20 of tailscale's. */
#define LATER_BOUND (25 * NS_PER_S)
/* With less than that left nobody is asked again. */
#define LAST_ASK (2 * NS_PER_S)

/* Over whatever leads to it: directly it says at once whether it is out, over the tailnet that it will be. A
 * host that was asked and is still in says so to the next destroy, which asks it again. *later: it has yet to
 * do it. */
static bool log_out(const struct host *host, struct json *evidence, bool *later)
{
    struct json *tried = json_new_array();
    bool done = false, left = false;
    json_set(evidence, "log_out", tried);
    for (int kind = 0; !done && kind < TRANSPORT_KINDS; kind++) {
        AUTO_ERROR err = ERROR_INIT;
        bool is_out = false;
        const struct tailnet_host over = {*host, (enum transport_kind)kind, NULL};
        if (kind != TRANSPORT_DIRECT &&
            (!json_get_string(host->machine->tailnet, "address", NULL) ||
             !words_have(&host->target->transports, transport_name((enum transport_kind)kind))))
            continue;
        done = tailnet_host_log_out(&over, deadline_in(LOG_OUT_BOUND), &is_out, &err) == 0;
        *later = done && !is_out && kind != TRANSPORT_DIRECT;
        left = done && (is_out || *later);
        AUTO_FREE char *text = xasprintf("%s: %s", transport_name((enum transport_kind)kind),
                                         !done                      ? error_text(&err)
                                         : is_out                   ? "it is out"
                                         : kind == TRANSPORT_DIRECT ? "it says that it is still in"
                                                                    : "it said that it will");
        step_log_say("logging out of the tailnet, over %s", text);
        json_append(tried, json_new_string(text));
    }
    return left;
}

static struct tailnet_question question_about(const struct target *target, const char *directory,
                                              const struct machine *machine)
{
    const char *socket = json_get_string(machine->tailnet, "socket", NULL);
    return (struct tailnet_question){.target = target,
                                     .directory = directory,
                                     .socket = target && target->tailscale_socket ? target->tailscale_socket
                                                                                  : socket,
                                     .login_server = json_get_string(machine->tailnet, "login_server", NULL)};
}

/* A host that is removed before it has done it never does: a cloud switches it off at once, and its device
 * stays for as long as the control server waits for it. False: it is on still. Where nobody can be asked, the
 * end says so. */
static bool await_log_out(const struct target *target, const char *directory, const struct machine *machine)
{
    struct deadline deadline = deadline_in(LATER_BOUND);
    const struct tailnet_question question = question_about(target, directory, machine);
    AUTO_TAILNET_SIGHT_WAIT wait = tailnet_sight_wait_begin(&question, deadline);
    while (deadline_left(deadline) > 0) {
        AUTO_TAILNET_SIGHT sight = {0};
        if (tailnet_sight_take(&question, false, deadline, &sight, NULL) < 0 || !sight.source)
            return true;
        const struct tailnet_seen *seen = own_device_find(&sight, machine);
        if (!seen || !seen->connected) {
            step_log_say("its device is %s (asked: %s)",
                         seen ? "not connected any more" : "out of the tailnet", sight.source);
            return true;
        }
        tailnet_sight_wait_on(&wait, &sight, deadline);
    }
    step_log_say("its device is still connected; the host is removed all the same");
    return false;
}

void leave_tailnet_begin(const struct host *host, const char *directory, struct machine *machine,
                         struct json *evidence)
{
    bool later = false;
    if (!machine->tailnet)
        return;
    if (!own_device_is_ours(machine)) {
        step_log_say("the host was in the tailnet before triphase: its login stays");
        json_set_bool(evidence, "adopted", true);
        return;
    }
    if (json_get_bool(machine->tailnet, "left") || !host->target)
        return;
    if (log_out(host, evidence, &later) && (!later || await_log_out(host->target, directory, machine)))
        own_device_note_left(machine);
}

/* ------------------------------------------------------------ gone */

static int nobody_knows(const struct machine *machine, const char *why, struct error *err)
{
    return error_set(
        err, ERROR_PROVIDER,
        "the host is gone, but nobody here can say whether its device %s left the tailnet: %s. Give "
        "the target credentials of the API, or join this machine ('triphase up'), and say 'triphase "
        "destroy %s' again; or look in the tailnet's admin console and say 'triphase forget %s'",
        json_get_string(machine->tailnet, "name", "?"), why ? why : "nobody was asked", machine->target,
        machine->target);
}

static int still_there(const struct machine *machine, const struct tailnet_seen *seen, struct error *err)
{
    AUTO_FREE char *text = tailnet_sight_text(seen);
    if (json_get_bool(machine->tailnet, "left") && !seen->connected)
        return error_set(
            err, ERROR_PROVIDER,
            "the host is gone, and its device %s is still in the tailnet although it was logged out: it "
            "joined by a key that is not ephemeral. Delete the device there, say 'triphase destroy %s' "
            "again, and "
            "give the target a key that is ephemeral",
            text, machine->target);
    return error_set(
        err, ERROR_PROVIDER,
        "the host is gone, but its device %s is still in the tailnet: it was not logged out. An "
        "ephemeral device goes by itself when its control server has not seen it for a while: say "
        "'triphase destroy %s' again then, or delete the device there",
        text, machine->target);
}

static int delete_device(const struct tailnet_sight *sight, const struct tailnet_seen *seen,
                         struct json *evidence, struct error *err)
{
    AUTO_FREE char *text = tailnet_sight_text(seen);
    if (!sight->api || !seen->id)
        return 0;
    if (tailnet_api_delete_device(sight->api, seen->id, err) < 0)
        return error_prefix(err, "the device %s cannot be deleted", text);
    step_log_say("deleted the device %s", text);
    json_set_string(evidence, "deleted", text);
    return 0;
}

int leave_tailnet_end(const struct target *target, const char *directory, struct machine *machine,
                      int64_t bound_ns, struct json *evidence, struct error *err)
{
    if (!own_device_is_ours(machine))
        return 0;
    struct deadline deadline = deadline_in(bound_ns);
    const struct tailnet_question question = question_about(target, directory, machine);
    AUTO_TAILNET_SIGHT_WAIT wait = tailnet_sight_wait_begin(&question, deadline);
    for (;;) {
        AUTO_TAILNET_SIGHT sight = {0};
        if (tailnet_sight_take(&question, false, deadline, &sight, err) < 0)
            return -1;
        json_set_string(evidence, "asked", sight.source);
        json_set_string(evidence, "why", sight.why);
        if (!sight.source)
            return nobody_knows(machine, sight.why, err);
        if (text_is(sight.source, "peers") && !own_device_would_be_a_peer(machine))
            return nobody_knows(machine, "this machine's tailscaled never saw it among its peers", err);
        const struct tailnet_seen *seen = own_device_find(&sight, machine);
        if (!seen) {
            step_log_say("its device is gone from the tailnet (asked: %s)", sight.source);
            return 0;
        }
        AUTO_ERROR kept = ERROR_INIT;
        bool last = deadline_left(deadline) < LAST_ASK;
        if (delete_device(&sight, seen, evidence, &kept) < 0 && last)
            return error_set(err, ERROR_PROVIDER, "the host is gone, but %s", error_text(&kept));
        if (last)
            return still_there(machine, seen, err);
        tailnet_sight_wait_on(&wait, &sight, deadline);
    }
}
