/* A look at the tailnet in plain words: what was tried, what came back, what follows. */
#pragma once
#include "format/json.h"
#include "tailnet/look.h"

/* A list of {"what", "found", "follows" ("" where nothing does)}. `address`: of the host in the tailnet,
 * NULL: not known; `wanted_server`: the control server that is wanted ("" is Tailscale's), NULL: any. */
struct json *look_told(const struct tailnet_look *look, const char *address, const char *wanted_server);
/* "direct by 192.0.2.1:41641", "relay nue", "not active": the path to a peer. malloc'ed. */
char *look_told_path(const struct tailnet_peer *peer);
/* This machine in the tailnet, "100.64.0.1, op, tag:op". malloc'ed; NULL where it has no address. */
char *look_told_self(const struct tailnet_status *status);
