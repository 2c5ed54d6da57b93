#include "tailnet/minted.h"

#include "base/memory.h"

#include <string.h>

int minted_make(const struct operator_settings *settings, const char *directory, const char *hostname,
                struct deadline deadline, struct minted *out, struct error *err)
{
    size_t length;
    (void)hostname, (void)deadline;
    if (settings->login.auth_key.kind == SECRET_NONE)
        return error_set(err, ERROR_PROJECT, "there is nothing to join with: give operator.auth_key");
    out->id = NULL;
    return secret_read(&settings->login.auth_key, directory, &out->key, &length, err);
}

int minted_drop(const struct operator_settings *settings, const char *directory, struct deadline deadline,
                struct minted *minted, struct error *err)
{
    (void)settings, (void)directory, (void)deadline, (void)err;
    if (minted->key)
        memory_free_secret(minted->key, strlen(minted->key));
    *minted = (struct minted){NULL, NULL};
    return 0;
}

int minted_clean(const struct operator_settings *settings, const char *directory, struct deadline deadline,
                 struct error *err)
{
    (void)settings, (void)directory, (void)deadline, (void)err;
    return 0;
}
