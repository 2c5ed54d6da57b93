#include "run/join_key.h"

#include "base/deadline.h"
#include "base/memory.h"
#include "base/moment.h"
#include "config/tailnet_login.h"
#include "tailnet/api.h"
#include "tailnet/auth_key.h"

#include <string.h>

enum { MAKE_BOUND_S = 60, SPARE_S = 60, DELETE_BOUND_S = 10 };

bool join_key_wanted(const struct target *target)
{
    const struct secret *secret;
    for (size_t i = 0; (secret = tailnet_login_secret(&target->tailnet, i, NULL)); i++)
        if (secret->kind != SECRET_NONE)
            return true;
    return false;
}

static int delete_key(const struct project *project, const struct target *target, const char *id,
                      struct deadline deadline, struct error *err)
{
    struct tailnet_api *api = NULL;
    int status = tailnet_api_open(&target->tailnet, project->directory, deadline, &api, err);
    if (status == 0 && api)
        status = tailnet_api_delete_key(api, id, err);
    tailnet_api_close(&api);
    return status;
}

static int make(const struct join_key_fetch *fetch, struct text *out, struct error *err)
{
    const struct target *target = fetch->secrets.target;
    struct deadline deadline = deadline_in(MAKE_BOUND_S * NS_PER_S);
    AUTO_FREE char *description = xasprintf("triphase %s", target->name), *id = NULL;
    const struct tailnet_key_wish wish = {.tags = &target->tailnet.tags,
                                          .ephemeral = true,
                                          .expiry_s = fetch->deadline_ns / NS_PER_S + SPARE_S,
                                          .description = description};
    char *key = NULL;
    if (fetch->old_id) /* else it ends by itself */
        (void)delete_key(fetch->secrets.project, target, fetch->old_id, deadline, NULL);
    if (tailnet_auth_key(&target->tailnet, fetch->secrets.project->directory, &wish, deadline, &key, &id,
                         err) < 0)
        return error_prefix(err, "target %s: no key to join the tailnet with", target->name);
    text_add_bytes(out, key, strlen(key) + 1);
    text_add(out, id ? id : "");
    memory_free_secret(key, strlen(key));
    return 0;
}

/* KEY NUL ID NUL, and behind that the secrets. */
int join_key_read(const void *what, struct text *out, struct error *err)
{
    const struct join_key_fetch *fetch = what;
    if (!join_key_wanted(fetch->secrets.target))
        text_add_bytes(out, "", 1);
    else if (make(fetch, out, err) < 0)
        return -1;
    text_add_bytes(out, "", 1);
    return secret_fetch_read(&fetch->secrets, out, err);
}

void join_key_take(const struct join_key_fetch *fetch, const char *bytes, size_t length, struct join_key *out)
{
    const char *end = bytes + length, *id = memchr(bytes, '\0', length);
    const char *rest = id ? memchr(id + 1, '\0', (size_t)(end - id - 1)) : NULL;
    join_key_clear(out);
    if (!rest)
        return;
    out->key = *bytes ? xstrdup(bytes) : NULL;
    out->id = id[1] ? xstrdup(id + 1) : NULL;
    secret_fetch_take(&fetch->secrets, rest + 1, (size_t)(end - rest - 1));
}

int join_key_delete(struct join_key *key, const struct project *project, const struct target *target,
                    struct error *err)
{
    AUTO_FREE char *id = TAKE(key->id);
    return id ? delete_key(project, target, id, deadline_in(DELETE_BOUND_S * NS_PER_S), err) : 0;
}

void join_key_wipe(struct join_key *key)
{
    if (key->key)
        memory_free_secret(key->key, strlen(key->key));
    key->key = NULL;
}

void join_key_clear(struct join_key *key)
{
    join_key_wipe(key);
    free(TAKE(key->id));
}
