#include "transport/peer_path.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "tailnet/local_api.h"
#include "transport/transport.h"

static const struct tailnet_peer *find_peer(const struct tailnet_status *status, const char *address)
{
    const struct tailnet_peer *found = tailnet_status_peer(status, address);
    for (size_t i = 0; !found && i < status->peer_count; i++)
        if (*status->peers[i].dns_name && text_is(status->peers[i].dns_name, address))
            found = &status->peers[i];
    return found;
}

static void take_peer(const struct tailnet_status *status, const char *address, struct peer_path *out)
{
    const struct tailnet_peer *peer = address ? find_peer(status, address) : NULL;
    if (!peer)
        return;
    enum tailnet_path path = tailnet_peer_path(peer);
    const char *over = path == TAILNET_PATH_DIRECT       ? peer->current_address
                       : path == TAILNET_PATH_PEER_RELAY ? peer->peer_relay
                       : path == TAILNET_PATH_RELAY      ? peer->relay
                                                         : "";
    out->peer = peer->online ? "online" : "offline";
    out->path = tailnet_path_name(path);
    out->over = *over ? xstrdup(over) : NULL;
    out->serves_ssh = peer->serves_ssh;
    if (peer->handshake_ns > 0)
        out->handshake_age_ns = moment_wall() - peer->handshake_ns;
}

int peer_path_look(const struct target *target, const struct machine *machine, enum transport_kind kind,
                   struct deadline deadline, struct peer_path *out)
{
    if (!transport_calls(kind)->of_tailnet)
        return 1;
    AUTO_TAILNET_STATUS status = {0};
    AUTO_ERROR failed = ERROR_INIT;
    struct peer_path seen = {
        .daemon = "answers", .peer = "unknown", .path = "unknown", .handshake_age_ns = -1};
    if (local_api_status(target->tailscale_socket, true, deadline, &status, &failed) < 0) {
        seen.daemon = failed.kind == ERROR_DEADLINE ? "silent" : "absent";
        seen.daemon_said = xstrdup(error_text(&failed));
    } else if (!text_is(status.state, "Running")) {
        seen.daemon = "not-running";
        seen.daemon_said = xasprintf("tailscaled is in the state %s", status.state);
    } else {
        seen.tun = status.tun;
        take_peer(&status, machine_address(machine, kind), &seen);
    }
    *out = seen;
    return 0;
}

struct json *peer_path_json(const struct peer_path *path)
{
    struct json *object = json_new_object();
    json_set_string(object, "daemon", path->daemon);
    json_set_string(object, "daemon_said", path->daemon_said);
    json_set_string(object, "peer", path->peer);
    json_set_string(object, "path", path->path);
    json_set_string(object, "over", path->over);
    json_set(object, "handshake_age_ms",
             path->handshake_age_ns < 0 ? json_new_null()
                                        : json_new_integer(path->handshake_age_ns / NS_PER_MS));
    return object;
}

void peer_path_clear(struct peer_path *path)
{
    free(path->daemon_said);
    free(path->over);
    *path = (struct peer_path){0};
}
