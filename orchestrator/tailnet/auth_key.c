#include "tailnet/auth_key.h"

#include "base/memory.h"
#include "tailnet/api.h"

#include <string.h>

static int nothing_given(const struct tailnet_login *login, struct error *err)
{
    bool no_api = login->login_server && !login->api;
    return error_set(err, ERROR_PROJECT, "there is no key to join the tailnet with: give %sauth_key%s",
                     no_api ? "" : "oauth, api_key or ",
                     no_api ? ", or `api` beside the credentials where this control server has one" : "");
}

static int given(const struct tailnet_login *login, const char *directory, char **key, char **id,
                 struct error *err)
{
    size_t length;
    if (login->auth_key.kind == SECRET_NONE)
        return nothing_given(login, err);
    if (secret_read(&login->auth_key, directory, key, &length, err) < 0)
        return error_prefix(err, "auth_key");
    *id = NULL;
    return 0;
}

int tailnet_auth_key_given(const struct tailnet_login *login, struct error *err)
{
    return login->auth_key.kind == SECRET_NONE && !tailnet_login_has_api(login) ? nothing_given(login, err)
                                                                                : 0;
}

int tailnet_auth_key(const struct tailnet_login *login, const char *directory,
                     const struct tailnet_key_wish *wish, struct deadline deadline, char **key, char **id,
                     struct error *err)
{
    struct tailnet_api *api;
    if (tailnet_api_open(login, directory, deadline, &api, err) < 0)
        return -1;
    if (!api)
        return given(login, directory, key, id, err);
    int made = tailnet_api_make_key(api, wish->tags, wish->reusable, wish->ephemeral, wish->expiry_s,
                                    wish->description, key, id, err);
    tailnet_api_close(&api);
    return made;
}
