/* The key that something joins a tailnet with: made by the API where there are credentials for it (OAuth's
 * first, else the API key), else the one that is given. */
#pragma once
#include "base/deadline.h"
#include "config/tailnet_login.h"
#include <stdint.h>

struct tailnet_key_wish {
    const struct words *tags;
    bool reusable, ephemeral;
    int64_t expiry_s;
    const char *description;
};

/* `key` is a secret: free with memory_free_secret. `id`: for tailnet_api_delete_key; NULL for a given one,
 * whose tags and life are what it was made with. ERROR_PROJECT where there is nothing to get one from. */
int tailnet_auth_key(const struct tailnet_login *login, const char *directory,
                     const struct tailnet_key_wish *wish, struct deadline deadline, char **key, char **id,
                     struct error *err);
/* Whether anything is given to get one from, without reading or asking it: 0, or ERROR_PROJECT in the same
 * words. */
int tailnet_auth_key_given(const struct tailnet_login *login, struct error *err);
