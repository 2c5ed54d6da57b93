/* The API of a tailnet's control server (Tailscale v2): keys to join with, and the devices there are. All
 * calls are tried again on 429, 5xx and where there is no answer, until the deadline. Errors say in words
 * what to mend: ERROR_PROJECT where the API refuses (wrong credentials, a scope or a tag that they lack),
 * ERROR_UNREACHABLE where it gives no usable answer. No secret is in any message. */
#pragma once
#include "base/deadline.h"
#include "config/tailnet_login.h"
#include <stdint.h>

struct tailnet_api;

/* Reads the credentials and asks nobody yet: OAuth's where they are given, else the API key. 0 with NULL in
 * `out`: there are none, or the login server is another than Tailscale's and has no API (`api` not given).
 * `directory`: of the project, for secrets in files. `deadline` is that of all calls. */
int tailnet_api_open(const struct tailnet_login *login, const char *directory, struct deadline deadline,
                     struct tailnet_api **out, struct error *err);
/* Wipes credentials and tokens. A NULL api is fine. */
void tailnet_api_close(struct tailnet_api **api);

/* A key to join with that the control server needs no further word for. `description`: at most 50 bytes
 * count. `key` is a secret: free with memory_free_secret; `id` names it in tailnet_api_delete_key. */
int tailnet_api_make_key(struct tailnet_api *api, const struct words *tags, bool reusable, bool ephemeral,
                         int64_t expiry_s, const char *description, char **key, char **id, struct error *err);
/* One that is gone is fine. */
int tailnet_api_delete_key(struct tailnet_api *api, const char *id, struct error *err);

/* No string is NULL. */
struct tailnet_device {
    char *id, *node_id; /* of the API; of the node, which `tailscale status` says too */
    char *name;         /* what it got ("vault-1.example.ts.net") */
    char *hostname;     /* what it asked for */
    struct words addresses, tags;
    bool authorized, ephemeral, connected;
    int64_t last_seen_ns; /* wall; 0: not said, or connected */
    int64_t created_ns;
};
/* `out` is malloc'ed: free with tailnet_devices_free. */
int tailnet_api_devices(struct tailnet_api *api, struct tailnet_device **out, size_t *count,
                        struct error *err);
void tailnet_devices_free(struct tailnet_device **devices, size_t count);
/* One that is gone is fine. */
int tailnet_api_delete_device(struct tailnet_api *api, const char *id, struct error *err);
