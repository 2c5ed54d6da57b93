#include "tailnet/minted.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/tailnet_place.h"
#include "format/json.h"
#include "tailnet/api.h"
#include "tailnet/auth_key.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char record_name[] = "key.json";

/* The id alone, which opens nothing, and when it was made: after its time nobody need ask. */
static int write_down(const char *id, struct error *err)
{
    AUTO_FREE char *path = tailnet_place_file(record_name);
    AUTO_JSON *object = json_new_object();
    json_set_string(object, "id", id);
    json_set_integer(object, "made", moment_wall());
    AUTO_FREE char *bytes = json_compact(object);
    return file_replace(path, bytes, strlen(bytes), 0600, err);
}

static int delete_there(const struct operator_settings *settings, const char *directory, const char *id,
                        struct deadline deadline, struct error *err)
{
    struct tailnet_api *api = NULL;
    int result = tailnet_api_open(&settings->login, directory, deadline, &api, err);
    if (result == 0 && api)
        result = tailnet_api_delete_key(api, id, err);
    tailnet_api_close(&api);
    return result < 0 ? error_prefix(err, "the key %s was not deleted and ends by itself within %d minutes",
                                     id, MINTED_SECONDS / 60)
                      : 0;
}

static void forget(void)
{
    AUTO_FREE char *path = tailnet_place_file(record_name);
    unlink(path);
}

int minted_make(const struct operator_settings *settings, const char *directory, const char *hostname,
                struct deadline deadline, struct minted *out, struct error *err)
{
    AUTO_FREE char *description = xasprintf("triphase up %.30s", hostname);
    struct tailnet_key_wish wish = {.tags = &settings->login.tags,
                                    .reusable = settings->reusable,
                                    .ephemeral = true,
                                    .expiry_s = MINTED_SECONDS,
                                    .description = description};
    struct minted made = {NULL, NULL};
    if (tailnet_auth_key(&settings->login, directory, &wish, deadline, &made.key, &made.id, err) < 0)
        return -1;
    if (made.id && write_down(made.id, err) < 0) {
        minted_drop(settings, directory, deadline, &made, NULL);
        return -1;
    }
    *out = made;
    return 0;
}

int minted_drop(const struct operator_settings *settings, const char *directory, struct deadline deadline,
                struct minted *minted, struct error *err)
{
    AUTO_FREE char *id = TAKE(minted->id);
    if (minted->key)
        memory_free_secret(minted->key, strlen(minted->key));
    minted->key = NULL;
    int result = id ? delete_there(settings, directory, id, deadline, err) : 0;
    if (result == 0)
        forget();
    return result;
}

int minted_clean(const struct operator_settings *settings, const char *directory, struct deadline deadline,
                 struct error *err)
{
    AUTO_FREE char *path = tailnet_place_file(record_name);
    AUTO_TEXT content = TEXT_INIT;
    if (!file_exists(path))
        return 0;
    if (file_read(path, 4096, &content, err) < 0)
        return -1;
    AUTO_JSON *object = json_parse(text_string(&content), content.length, NULL);
    const char *id = json_get_string(object, "id", "");
    int64_t age_ns = moment_wall() - json_get_integer(object, "made", 0);
    bool lives = *id && age_ns < MINTED_SECONDS * NS_PER_S;
    int result = lives ? delete_there(settings, directory, id, deadline, err) : 0;
    if (result == 0)
        forget();
    return result;
}
