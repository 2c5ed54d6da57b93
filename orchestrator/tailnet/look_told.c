#include "tailnet/look_told.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "tailnet/ready.h"

#include <string.h>

/* Takes `found` over; both malloc'ed, `follows` may be NULL. */
static void row(struct json *rows, const char *what, char *found, char *follows)
{
    struct json *entry = json_new_object();
    json_set_string(entry, "what", what);
    json_set_string(entry, "found", found);
    json_set_string(entry, "follows", follows ? follows : "");
    json_append(rows, entry);
    free(found);
    free(follows);
}

static char *words_joined(const struct words *words)
{
    struct text out = TEXT_INIT;
    for (size_t i = 0; i < words->count; i++)
        text_addf(&out, "%s%s", i ? ", " : "", words->items[i]);
    return text_take(&out);
}

static char *state_follows(const char *state)
{
    if (text_is(state, "Running"))
        return xstrdup("it can carry connections");
    if (text_is(state, "NeedsLogin"))
        return xstrdup("it carries nothing until it has joined: triphase up");
    if (text_is(state, "NeedsMachineAuth"))
        return xstrdup("it carries nothing until its device is approved at the control server");
    if (text_is(state, "Stopped"))
        return xstrdup("it carries nothing until it is turned on: tailscale up");
    return xstrdup("it is starting, and carries nothing before it is Running; a run waits for that");
}

static void add_daemon(struct json *rows, const struct tailnet_look *look)
{
    AUTO_FREE char *what = xasprintf("%s at %s", look->own ? "triphase's own tailscaled" : "tailscaled",
                                     look->tun.daemon_socket);
    switch (look->daemon) {
    case TAILNET_DAEMON_ANSWERS:
        row(rows, what, xasprintf("version %s, %s", look->status.version, look->status.state),
            state_follows(look->status.state));
        break;
    case TAILNET_DAEMON_NONE:
        row(rows, what, xasprintf("nobody there (%s)", look->tun.daemon_error),
            xasprintf("no tailnet can be used until one runs: %s", tailnet_look_start(look)));
        break;
    case TAILNET_DAEMON_SILENT:
        row(rows, what, xstrdup(look->tun.daemon_error),
            xstrdup("it hangs, and carries nothing: look at its log, restart it"));
        break;
    case TAILNET_DAEMON_STRANGE:
        row(rows, what, xstrdup(look->tun.daemon_error), xstrdup("nothing is carried by it"));
        break;
    }
}

static void add_tun(struct json *rows, const struct tailnet_look *look)
{
    const struct tun_evidence *tun = &look->tun;
    if (look->daemon == TAILNET_DAEMON_ANSWERS)
        row(rows, "its TUN", xstrdup(look->status.tun ? "it has one" : "none: userspace networking"),
            xstrdup(look->status.tun ? "the transport tailnet goes through the kernel"
                                     : "the transport tailnet cannot be taken; tailnet-userspace hands each "
                                       "connection to it, where long or bulky ones may stall"));
    row(rows, "/dev/net/tun",
        !tun->device_present ? xasprintf("absent (%s)", strerror(tun->device_errno))
        : !tun->device_opens ? xasprintf("there, and cannot be opened (%s)", strerror(tun->device_errno))
                             : xstrdup("there, and opens"),
        NULL);
    row(rows, "CAP_NET_ADMIN", xstrdup(tun->net_admin ? "there" : "missing"), NULL);
    char *mend = tailnet_look_mend(look);
    if (mend)
        row(rows, "this machine",
            xstrdup(look->container ? look->container : "no container that can be told"), mend);
}

char *look_told_self(const struct tailnet_status *status)
{
    if (!status->addresses.count)
        return NULL;
    AUTO_FREE char *tags = words_joined(&status->self.tags);
    return xasprintf("%s, %s%s%s", status->addresses.items[0],
                     *status->self.dns_name ? status->self.dns_name : status->self.host_name,
                     *tags ? ", " : ", no tags", tags);
}

char *look_told_path(const struct tailnet_peer *peer)
{
    enum tailnet_path path = tailnet_peer_path(peer);
    if (path == TAILNET_PATH_UNKNOWN)
        return xstrdup("not active");
    return xasprintf("%s by %s", tailnet_path_name(path),
                     path == TAILNET_PATH_DIRECT       ? peer->current_address
                     : path == TAILNET_PATH_PEER_RELAY ? peer->peer_relay
                                                       : peer->relay);
}

static void add_peer(struct json *rows, const struct tailnet_look *look, const char *address)
{
    const struct tailnet_peer *peer = tailnet_status_peer(&look->status, address);
    AUTO_FREE char *what = xasprintf("the host %s", address);
    if (!peer) {
        row(rows, what, xstrdup("none of the daemon's peers"),
            xstrdup("it has not joined this tailnet, or its policy hides it from here"));
        return;
    }
    AUTO_FREE char *path = look_told_path(peer);
    int64_t age = peer->handshake_ns ? moment_wall() - peer->handshake_ns : -1;
    AUTO_FREE char *shown = age >= 0 ? duration_show(age) : NULL;
    row(rows, what,
        xasprintf("%s, %s, %s, last handshake %s%s%s", *peer->dns_name ? peer->dns_name : peer->host_name,
                  peer->online ? "online" : "not connected to the control server", path,
                  shown ? shown : "never", shown ? " ago" : "",
                  peer->serves_ssh ? ", serves Tailscale SSH" : ""),
        xstrdup(peer->online ? "" : "it may be down"));
}

static void add_membership(struct json *rows, const struct tailnet_look *look, const char *address,
                           const char *wanted)
{
    char *self = look_told_self(&look->status);
    if (look->control_url)
        row(rows, "control server", xstrdup(*look->control_url ? look->control_url : "Tailscale's"),
            wanted && !tailnet_look_same_server(wanted, look->control_url)
                ? xasprintf("not the one that is wanted, %s", ready_server_shown(wanted))
                : NULL);
    if (self)
        row(rows, "this machine in the tailnet", self, NULL);
    for (size_t i = 0; i < look->status.health.count; i++)
        row(rows, "health", xstrdup(look->status.health.items[i]), NULL);
    if (address)
        add_peer(rows, look, address);
}

struct json *look_told(const struct tailnet_look *look, const char *address, const char *wanted_server)
{
    struct json *rows = json_new_array();
    add_daemon(rows, look);
    add_tun(rows, look);
    if (look->daemon == TAILNET_DAEMON_ANSWERS)
        add_membership(rows, look, address, wanted_server);
    row(rows, "the program tailscale", xstrdup(look->program ? look->program : "not in PATH"),
        look->program ? NULL : xstrdup("tailnet-userspace cannot be used without it"));
    return rows;
}
