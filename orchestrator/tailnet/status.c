#include "tailnet/status.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/json_words.h"

#include <string.h>

enum { PEERS_MOST = 65536 };

static char *string_of(const struct json *object, const char *key)
{
    return xstrdup(json_get_string(object, key, ""));
}

/* Go writes its zero time as the year 1. */
static int64_t moment_of(const struct json *object, const char *key)
{
    return moment_from_rfc3339(json_get_string(object, key, ""));
}

static char *without_last_dot(char *name)
{
    size_t length = strlen(name);
    if (length && name[length - 1] == '.')
        name[length - 1] = '\0';
    return name;
}

static int64_t count_of(const struct json *object, const char *key)
{
    int64_t count = json_get_integer(object, key, 0);
    return count > 0 ? count : 0;
}

static struct tailnet_peer read_peer(const struct json *object, const char *key)
{
    struct tailnet_peer peer = {
        .id = string_of(object, "ID"),
        .key = key ? xstrdup(key) : string_of(object, "PublicKey"),
        .host_name = string_of(object, "HostName"),
        .dns_name = without_last_dot(string_of(object, "DNSName")),
        .current_address = string_of(object, "CurAddr"),
        .relay = string_of(object, "Relay"),
        .peer_relay = string_of(object, "PeerRelay"),
        .received = count_of(object, "RxBytes"),
        .sent = count_of(object, "TxBytes"),
        .handshake_ns = moment_of(object, "LastHandshake"),
        .last_seen_ns = moment_of(object, "LastSeen"),
        .online = json_get_bool(object, "Online"),
        .active = json_get_bool(object, "Active"),
        .serves_ssh = json_count(json_get(object, "sshHostKeys")) > 0,
    };
    json_words_add(json_get(object, "TailscaleIPs"), &peer.addresses);
    json_words_add(json_get(object, "Tags"), &peer.tags);
    return peer;
}

static void clear_peer(struct tailnet_peer *peer)
{
    free(peer->id);
    free(peer->key);
    free(peer->host_name);
    free(peer->dns_name);
    free(peer->current_address);
    free(peer->relay);
    free(peer->peer_relay);
    words_clear(&peer->addresses);
    words_clear(&peer->tags);
    *peer = (struct tailnet_peer){0};
}

static void read_peers(const struct json *object, struct tailnet_status *out)
{
    size_t most = json_is_object(object) ? json_count(object) : 0;
    void *at = NULL;
    const char *key;
    struct json *value;
    most = most < PEERS_MOST ? most : PEERS_MOST;
    out->peers = most ? xcalloc(most, sizeof *out->peers) : NULL;
    while (out->peer_count < most && json_each(object, &at, &key, &value))
        if (json_is_object(value))
            out->peers[out->peer_count++] = read_peer(value, key);
}

int tailnet_status_parse(const char *bytes, size_t length, struct tailnet_status *out, struct error *err)
{
    AUTO_ERROR why = ERROR_INIT;
    AUTO_JSON *root = json_parse(bytes, length, &why);
    if (!root)
        return error_set(err, ERROR_SYSTEM, "it is no status of a tailscaled: %s", error_text(&why));
    if (!json_is_object(root) || !json_is_string(json_get(root, "BackendState")))
        return error_set(err, ERROR_SYSTEM, "it is no status of a tailscaled: it has no BackendState");
    *out = (struct tailnet_status){
        .tun = json_get_bool(root, "TUN"),
        .version = string_of(root, "Version"),
        .state = string_of(root, "BackendState"),
        .tailnet = string_of(json_get(root, "CurrentTailnet"), "Name"),
        .suffix = string_of(json_get(root, "CurrentTailnet"), "MagicDNSSuffix"),
        .auth_url = string_of(root, "AuthURL"),
        .self = read_peer(json_get(root, "Self"), NULL),
    };
    json_words_add(json_get(root, "TailscaleIPs"), &out->addresses);
    json_words_add(json_get(root, "Health"), &out->health);
    read_peers(json_get(root, "Peer"), out);
    return 0;
}

void tailnet_status_clear(struct tailnet_status *status)
{
    free(status->version);
    free(status->state);
    free(status->tailnet);
    free(status->suffix);
    free(status->auth_url);
    words_clear(&status->addresses);
    words_clear(&status->health);
    clear_peer(&status->self);
    for (size_t i = 0; i < status->peer_count; i++)
        clear_peer(&status->peers[i]);
    free(status->peers);
    *status = (struct tailnet_status){0};
}

const struct tailnet_peer *tailnet_status_peer(const struct tailnet_status *status, const char *address)
{
    for (size_t i = 0; address && i < status->peer_count; i++)
        if (words_have(&status->peers[i].addresses, address))
            return &status->peers[i];
    return NULL;
}

enum tailnet_path tailnet_peer_path(const struct tailnet_peer *peer)
{
    if (!peer->active)
        return TAILNET_PATH_UNKNOWN;
    if (*peer->current_address)
        return TAILNET_PATH_DIRECT;
    if (*peer->peer_relay)
        return TAILNET_PATH_PEER_RELAY;
    return *peer->relay ? TAILNET_PATH_RELAY : TAILNET_PATH_UNKNOWN;
}

const char *tailnet_path_name(enum tailnet_path path)
{
    static const char *const names[] = {"unknown", "direct", "peer-relay", "relay"};
    return names[path];
}
