#include "config/tailnet_login.h"

#include <stddef.h>
#include <stdlib.h>

static const struct {
    const char *name;
    size_t offset;
} secrets[] = {
    {"oauth.id", offsetof(struct tailnet_login, oauth_id)},
    {"oauth.secret", offsetof(struct tailnet_login, oauth_secret)},
    {"api_key", offsetof(struct tailnet_login, api_key)},
    {"auth_key", offsetof(struct tailnet_login, auth_key)},
};

const struct secret *tailnet_login_secret(const struct tailnet_login *login, size_t at, const char **what)
{
    if (at >= sizeof secrets / sizeof *secrets)
        return NULL;
    if (what)
        *what = secrets[at].name;
    return (const struct secret *)((const char *)login + secrets[at].offset);
}

static bool is_given(const struct secret *secret)
{
    return secret->kind != SECRET_NONE;
}

bool tailnet_login_has_api(const struct tailnet_login *login)
{
    return (login->api || !login->login_server) &&
           ((is_given(&login->oauth_id) && is_given(&login->oauth_secret)) || is_given(&login->api_key));
}

void tailnet_login_clear(struct tailnet_login *login)
{
    words_clear(&login->tags);
    free(login->hostname);
    free(login->login_server);
    free(login->api);
    free(login->tailnet);
    secret_clear(&login->oauth_id);
    secret_clear(&login->oauth_secret);
    secret_clear(&login->api_key);
    secret_clear(&login->auth_key);
    *login = (struct tailnet_login){0};
}

void operator_settings_clear(struct operator_settings *settings)
{
    tailnet_login_clear(&settings->login);
    free(settings->socket);
    *settings = (struct operator_settings){0};
}
