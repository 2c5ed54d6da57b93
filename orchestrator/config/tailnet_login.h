/* How something joins a tailnet: this machine (`operator:`) or a target (`tailnet:`), as the project's files
 * say. */
#pragma once
#include "base/words.h"
#include "config/secret.h"
#include <stdbool.h>

struct tailnet_login {
    struct words tags;  /* "tag:x" */
    char *hostname;     /* NULL: the target's host_name, or this machine's name */
    char *login_server; /* NULL: Tailscale's own control server */
    char *api;     /* base of the v2 API; NULL: Tailscale's where login_server is NULL, else there is none */
    char *tailnet; /* its name, for the API too; NULL or "-": any, and there the credentials' own */
    struct secret oauth_id, oauth_secret, api_key, auth_key; /* kind SECRET_NONE: not given */
};

struct operator_settings {
    struct tailnet_login login;
    char *socket; /* of the daemon to use; NULL: triphase's own where one runs, else tailscale's default */
    bool reusable, ssh, accept_routes, accept_dns, socks5;
};

/* Each of its secrets by index, with the name of its key below `operator` or `tailnet` ("oauth.id"); NULL
 * behind the last. `what` may be NULL. */
const struct secret *tailnet_login_secret(const struct tailnet_login *login, size_t at, const char **what);
/* Whether there is an API that keys to join with are made by, and credentials for it. */
bool tailnet_login_has_api(const struct tailnet_login *login);
void tailnet_login_clear(struct tailnet_login *login);
void operator_settings_clear(struct operator_settings *settings);
