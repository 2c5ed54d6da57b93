/* How the tailscaled here reaches a machine's host at this moment: whether it answers, what it knows of the
 * peer, and over which path packets go. Blocking, bounded. */
#pragma once
#include "base/deadline.h"
#include "config/config.h"
#include "config/transport_kind.h"
#include "event/machine.h"
#include "format/json.h"
#include <stdbool.h>

struct peer_path {
    /* Of the daemon: "answers" "absent" (nobody listens) "silent" (it accepts and never answers)
     * "not-running" (it is in no tailnet). Static. */
    const char *daemon;
    char *daemon_said; /* why not; NULL: it answers */
    const char *peer;  /* "online" "offline" "unknown" (it knows no such peer). Static */
    const char *path;  /* "direct" "peer-relay" "relay", "unknown" where nothing went lately. Static */
    char *over;        /* ip:port, or the relay's code; NULL: not known */
    bool tun, serves_ssh;
    int64_t handshake_age_ns; /* -1: there was none */
};

/* 1 where the transport goes over no tailnet; then `out` is untouched. Never fails: what does not answer is
 * what was to be known. */
int peer_path_look(const struct target *target, const struct machine *machine, enum transport_kind kind,
                   struct deadline deadline, struct peer_path *out);
struct json *peer_path_json(const struct peer_path *path);
void peer_path_clear(struct peer_path *path);
