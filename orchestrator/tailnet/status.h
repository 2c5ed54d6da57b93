/* What a tailscaled says of itself and its peers: `tailscale status --json` and the LocalAPI's status give
 * the same bytes (source: Tailscale 1.102, ipnstate.Status). Pure. The input is another program's: sizes and
 * numbers are bounded, what has a wrong type reads as absent. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No string is NULL; "" where the daemon says nothing. */
struct tailnet_peer {
    char *id, *key; /* node's stable id; its public key */
    /* HostName is what the node asked for, the DNS name (here without its last dot) what it got */
    char *host_name, *dns_name;
    char *current_address;    /* ip:port of a direct path */
    char *relay, *peer_relay; /* code of its home DERP, set on a direct path too; address of a peer relay */
    struct words addresses, tags;
    int64_t received, sent;             /* bytes since the daemon began */
    int64_t handshake_ns, last_seen_ns; /* wall; 0: never */
    bool online;                        /* connected to the control server, which is not reachable */
    bool active;                        /* traffic within the last minutes */
    bool serves_ssh;                    /* Tailscale SSH may answer its port 22 */
};

struct tailnet_status {
    bool tun;
    char *version, *state; /* BackendState: NoState NeedsLogin NeedsMachineAuth Stopped Starting Running … */
    char *tailnet;         /* of the account it is logged in to */
    char *suffix;          /* of the DNS names there, like tail1234.ts.net */
    char *auth_url;
    struct words addresses, health;
    struct tailnet_peer self;
    struct tailnet_peer *peers;
    size_t peer_count;
};

#define AUTO_TAILNET_STATUS __attribute__((cleanup(tailnet_status_clear))) struct tailnet_status

/* ERROR_SYSTEM for what is no status of a tailscaled. */
int tailnet_status_parse(const char *bytes, size_t length, struct tailnet_status *out, struct error *err);
void tailnet_status_clear(struct tailnet_status *status);
/* The peer that has the address; NULL: none has it. Borrowed. */
const struct tailnet_peer *tailnet_status_peer(const struct tailnet_status *status, const char *address);

enum tailnet_path {
    TAILNET_PATH_UNKNOWN, /* it is not active: what stands there is from before, or nothing */
    TAILNET_PATH_DIRECT,
    TAILNET_PATH_PEER_RELAY,
    TAILNET_PATH_RELAY, /* DERP */
};
enum tailnet_path tailnet_peer_path(const struct tailnet_peer *peer);
/* "unknown" "direct" "peer-relay" "relay" */
const char *tailnet_path_name(enum tailnet_path path);
