#include "tailnet/api.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/json.h"
#include "net/http_ask.h"
#include "net/http_word.h"

#include <string.h>

static const char tailscale_base[] = "https://api.tailscale.com/api/v2";
enum { DESCRIPTION_MOST = 50, CLOCK_DIFFERS_S = 90, ANSWER_MOST = 64 << 20, DEVICES_MOST = 100000 };

enum scope { SCOPE_KEYS, SCOPE_DEVICES, SCOPES };
static const char *const scope_names[SCOPES] = {"auth_keys", "devices:core"};

struct tailnet_api {
    char *base, *tailnet;                /* the second as a part of a path */
    char *oauth_id, *oauth_secret, *key; /* secrets; NULL: not given */
    char *tokens[SCOPES];                /* of OAuth, asked for when first needed */
    struct words tags;
    struct deadline deadline;
};

/* ------------------------------------------------------------ texts */
static void forget(char **secret)
{
    if (*secret)
        memory_free_secret(*secret, strlen(*secret));
    *secret = NULL;
}

/* ------------------------------------------------------------ opening */
static int read_secret(const struct secret *secret, const char *directory, char **out, struct error *err)
{
    size_t length;
    return secret->kind == SECRET_NONE ? 0 : secret_read(secret, directory, out, &length, err);
}

static char *base_of(const struct tailnet_login *login)
{
    if (!login->api)
        return xstrdup(tailscale_base);
    size_t length = strlen(login->api);
    while (length && login->api[length - 1] == '/')
        length--;
    return xstrndup(login->api, length);
}

int tailnet_api_open(const struct tailnet_login *login, const char *directory, struct deadline deadline,
                     struct tailnet_api **out, struct error *err)
{
    bool oauth = login->oauth_secret.kind != SECRET_NONE;
    if (!tailnet_login_has_api(login)) {
        *out = NULL;
        return 0;
    }
    struct tailnet_api *api = xcalloc(1, sizeof *api);
    *api = (struct tailnet_api){.base = base_of(login),
                                .tailnet = http_word(login->tailnet ? login->tailnet : "-"),
                                .deadline = deadline};
    words_add_list(&api->tags, words_argv(&login->tags));
    if (oauth ? read_secret(&login->oauth_id, directory, &api->oauth_id, err) < 0 ||
                    read_secret(&login->oauth_secret, directory, &api->oauth_secret, err) < 0
              : read_secret(&login->api_key, directory, &api->key, err) < 0) {
        tailnet_api_close(&api);
        return -1;
    }
    *out = api;
    return 0;
}

void tailnet_api_close(struct tailnet_api **handle)
{
    struct tailnet_api *api = *handle;
    *handle = NULL;
    if (!api)
        return;
    forget(&api->oauth_id);
    forget(&api->oauth_secret);
    forget(&api->key);
    for (int i = 0; i < SCOPES; i++)
        forget(&api->tokens[i]);
    words_clear(&api->tags);
    free(api->base);
    free(api->tailnet);
    free(api);
}

/* ------------------------------------------------------------ what it refuses */
/* The API's own words, as a message shows them. */
static char *said(const struct http_answer *answer)
{
    AUTO_JSON *body = json_parse(text_string(&answer->body), answer->body.length, NULL);
    return text_shown(json_get_string(body, "message", "it says no more"));
}

/* A token is checked against the server's clock. malloc'ed, "" where the clocks agree. */
static char *clock_hint(const struct http_answer *answer)
{
    int64_t ahead = answer->date_ns ? moment_wall() - answer->date_ns : 0;
    int64_t size = ahead < 0 ? -ahead : ahead;
    if (size < CLOCK_DIFFERS_S * NS_PER_S)
        return xstrdup("");
    AUTO_FREE char *shown = duration_show(size);
    return xasprintf("; this machine's clock is %s %s the server's: set it", shown,
                     ahead < 0 ? "behind" : "ahead of");
}

static const char *credentials_of(const struct tailnet_api *api)
{
    return api->oauth_secret ? "oauth.id and oauth.secret" : "api_key";
}

static bool is_about_tags(const char *words)
{
    return strstr(words, "tag") != NULL;
}

/* What `doing` was answered with when it was no success. */
static int refusal(const struct tailnet_api *api, const char *doing, const struct http_answer *answer,
                   struct error *err)
{
    AUTO_FREE char *words = said(answer);
    AUTO_FREE char *clock = clock_hint(answer);
    AUTO_FREE char *tags = words_join(&api->tags, " ");
    int status = answer->status;
    if (status == 401)
        return error_set(
            err, ERROR_PROJECT,
            "%s: the API at %s does not know these credentials (401: %s): check %s, and that they"
            " have not expired%s",
            doing, api->base, words, credentials_of(api), clock);
    if ((status == 400 || status == 403) && is_about_tags(words))
        return error_set(
            err, ERROR_PROJECT,
            "%s: the API at %s does not permit the tags (%d: %s): asked for were '%s'; they must be"
            " in the tailnet's policy (tagOwners), and of the OAuth client's own tags or owned by one",
            doing, api->base, status, words, tags);
    if (status == 403)
        return error_set(
            err, ERROR_PROJECT,
            "%s: the API at %s does not permit that to these credentials (403: %s): give them the"
            " scope that it needs (auth_keys, devices:core)",
            doing, api->base, words);
    if (status == 404)
        return error_set(err, ERROR_PROJECT,
                         "%s: the API at %s knows no such thing (404: %s): is `api` its base%s?", doing,
                         api->base, words,
                         text_is(api->tailnet, "-")
                             ? ""
                             : ", and `operator.tailnet` the tailnet that the credentials are of");
    if (status == 429 || status >= 500)
        return error_set(err, ERROR_UNREACHABLE, "%s: the API at %s cannot do it now (%d: %s); try later",
                         doing, api->base, status, words);
    return error_set(err, ERROR_PROJECT, "%s: the API at %s refuses (%d: %s)%s", doing, api->base, status,
                     words, clock);
}

/* ------------------------------------------------------------ asking */
static int ask(const struct tailnet_api *api, const struct http_request *request, const char *doing,
               struct http_answer *out, struct error *err)
{
    AUTO_ERROR why = ERROR_INIT;
    if (http_ask_patiently(request, api->deadline, out, &why) == 0)
        return 0;
    return error_set(err, why.kind, "%s: the API is out of reach: %s", doing, error_text(&why));
}

static int read_json(const struct tailnet_api *api, const char *doing, const struct http_answer *answer,
                     struct json **out, struct error *err)
{
    AUTO_ERROR why = ERROR_INIT;
    AUTO_JSON *value = json_parse(text_string(&answer->body), answer->body.length, &why);
    if (!json_is_object(value))
        return error_set(
            err, ERROR_UNREACHABLE,
            "%s: what answers at %s is not the API (its answer is no JSON object): check `api`, and"
            " that nothing in between wants a login",
            doing, api->base);
    *out = TAKE(value);
    return 0;
}

static char *token_form(const struct tailnet_api *api, const struct words *tags, enum scope scope)
{
    AUTO_FREE char *joined = words_join(tags, " ");
    AUTO_FREE char *asked = http_word(joined);
    AUTO_FREE char *scoped = http_word(scope_names[scope]);
    char *id = http_word(api->oauth_id ? api->oauth_id : ""), *secret = http_word(api->oauth_secret);
    char *form = xasprintf("grant_type=client_credentials&client_id=%s&client_secret=%s&scope=%s%s%s", id,
                           secret, scoped, *asked ? "&tags=" : "", asked);
    forget(&id);
    forget(&secret);
    return form;
}

static int take_token(struct tailnet_api *api, const struct words *tags, enum scope scope, struct error *err)
{
    static const char doing[] = "cannot log in to the tailnet's API";
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    AUTO_FREE char *url = xasprintf("%s/oauth/token", api->base);
    AUTO_HTTP_ANSWER answer = {.retry_after_ns = -1};
    AUTO_JSON *body = NULL;
    char *form = token_form(api, tags, scope);
    struct http_request request = {
        .method = "POST", .url = url, .headers = headers, .body = form, .body_length = strlen(form)};
    int asked = ask(api, &request, doing, &answer, err);
    forget(&form);
    if (asked < 0)
        return -1;
    if (answer.status != 200)
        return refusal(api, doing, &answer, err);
    if (read_json(api, doing, &answer, &body, err) < 0)
        return -1;
    const char *token = json_get_string(body, "access_token", "");
    if (!*token || strpbrk(token, "\r\n"))
        return error_set(err, ERROR_UNREACHABLE, "%s: %s gives no token", doing, api->base);
    api->tokens[scope] = xstrdup(token);
    return 0;
}

struct order {
    const char *method, *url, *body, *doing;
    const struct words *tags; /* for the token */
    enum scope scope;
};

/* Sends it with the credentials; the answer whatever its status. */
static int send(struct tailnet_api *api, const struct order *order, struct http_answer *out,
                struct error *err)
{
    bool oauth = api->oauth_secret != NULL;
    if (oauth && !api->tokens[order->scope] && take_token(api, order->tags, order->scope, err) < 0)
        return -1;
    char *bearer = oauth ? xasprintf("Authorization: Bearer %s", api->tokens[order->scope]) : NULL;
    const char *const headers[] = {"Content-Type: application/json", bearer, NULL};
    struct http_request request = {
        .method = order->method,
        .url = order->url,
        .headers = headers,
        .user = oauth ? NULL : api->key,
        .body = order->body,
        .body_length = order->body ? strlen(order->body) : 0,
        .answer_most = ANSWER_MOST,
    };
    int asked = ask(api, &request, order->doing, out, err);
    forget(&bearer);
    return asked;
}

static int send_for_json(struct tailnet_api *api, const struct order *order, struct json **out,
                         struct error *err)
{
    AUTO_HTTP_ANSWER answer = {.retry_after_ns = -1};
    if (send(api, order, &answer, err) < 0)
        return -1;
    if (answer.status != 200)
        return refusal(api, order->doing, &answer, err);
    return read_json(api, order->doing, &answer, out, err);
}

static int send_to_delete(struct tailnet_api *api, const struct order *order, struct error *err)
{
    AUTO_HTTP_ANSWER answer = {.retry_after_ns = -1};
    if (send(api, order, &answer, err) < 0)
        return -1;
    bool gone = (answer.status >= 200 && answer.status < 300) || answer.status == 404;
    return gone ? 0 : refusal(api, order->doing, &answer, err);
}

/* ------------------------------------------------------------ keys */
static char *key_wish(const struct words *tags, bool reusable, bool ephemeral, int64_t expiry_s,
                      const char *description)
{
    AUTO_JSON *wish = json_new_object();
    AUTO_FREE char *shortened = xstrndup(description, DESCRIPTION_MOST);
    struct json *create = json_new_object(), *devices = json_new_object(), *all = json_new_object();
    struct json *list = json_new_array();
    for (size_t i = 0; i < tags->count; i++)
        json_append(list, json_new_string(tags->items[i]));
    json_set_bool(create, "reusable", reusable);
    json_set_bool(create, "ephemeral", ephemeral);
    json_set_bool(create, "preauthorized", true);
    json_set(create, "tags", list);
    json_set(devices, "create", create);
    json_set(all, "devices", devices);
    json_set(wish, "capabilities", all);
    json_set_integer(wish, "expirySeconds", expiry_s);
    json_set_string(wish, "description", shortened);
    return json_compact(wish);
}

int tailnet_api_make_key(struct tailnet_api *api, const struct words *tags, bool reusable, bool ephemeral,
                         int64_t expiry_s, const char *description, char **key, char **id, struct error *err)
{
    AUTO_FREE char *url = xasprintf("%s/tailnet/%s/keys", api->base, api->tailnet);
    AUTO_FREE char *wish = key_wish(tags, reusable, ephemeral, expiry_s, description);
    struct order order = {"POST", url, wish, "cannot make a key to join the tailnet with", tags, SCOPE_KEYS};
    AUTO_JSON *made = NULL;
    if (send_for_json(api, &order, &made, err) < 0)
        return -1;
    if (!*json_get_string(made, "key", "") || !*json_get_string(made, "id", ""))
        return error_set(err, ERROR_UNREACHABLE, "%s: %s gives none", order.doing, api->base);
    *key = xstrdup(json_get_string(made, "key", ""));
    *id = xstrdup(json_get_string(made, "id", ""));
    return 0;
}

int tailnet_api_delete_key(struct tailnet_api *api, const char *id, struct error *err)
{
    AUTO_FREE char *word = http_word(id);
    AUTO_FREE char *url = xasprintf("%s/tailnet/%s/keys/%s", api->base, api->tailnet, word);
    struct order order = {"DELETE",   url,       NULL, "cannot delete the key of the tailnet",
                          &api->tags, SCOPE_KEYS};
    return send_to_delete(api, &order, err);
}

/* ------------------------------------------------------------ devices */
static void add_strings(const struct json *list, struct words *out)
{
    for (size_t i = 0; json_is_array(list) && i < json_count(list); i++)
        if (json_is_string(json_at(list, i)))
            words_add(out, json_string(json_at(list, i), ""));
}

static struct tailnet_device read_device(const struct json *object)
{
    struct tailnet_device device = {
        .id = xstrdup(json_get_string(object, "id", "")),
        .node_id = xstrdup(json_get_string(object, "nodeId", "")),
        .name = xstrdup(json_get_string(object, "name", "")),
        .hostname = xstrdup(json_get_string(object, "hostname", "")),
        .authorized = json_get_bool(object, "authorized"),
        .ephemeral = json_get_bool(object, "isEphemeral"),
        .connected = json_get_bool(object, "connectedToControl"),
        .last_seen_ns = moment_from_rfc3339(json_get_string(object, "lastSeen", "")),
        .created_ns = moment_from_rfc3339(json_get_string(object, "created", "")),
    };
    add_strings(json_get(object, "addresses"), &device.addresses);
    add_strings(json_get(object, "tags"), &device.tags);
    return device;
}

int tailnet_api_devices(struct tailnet_api *api, struct tailnet_device **out, size_t *count,
                        struct error *err)
{
    AUTO_FREE char *url = xasprintf("%s/tailnet/%s/devices?fields=all", api->base, api->tailnet);
    struct order order = {"GET", url, NULL, "cannot list the tailnet's devices", &api->tags, SCOPE_DEVICES};
    AUTO_JSON *body = NULL;
    if (send_for_json(api, &order, &body, err) < 0)
        return -1;
    const struct json *list = json_get(body, "devices");
    size_t most = json_is_array(list) ? json_count(list) : 0;
    if (!json_is_array(list) || most > DEVICES_MOST)
        return error_set(err, ERROR_UNREACHABLE, "%s: %s gives no list of them", order.doing, api->base);
    *out = xcalloc(most, sizeof **out);
    *count = 0;
    for (size_t i = 0; i < most; i++)
        if (json_is_object(json_at(list, i)))
            (*out)[(*count)++] = read_device(json_at(list, i));
    return 0;
}

void tailnet_devices_free(struct tailnet_device **devices, size_t count)
{
    for (size_t i = 0; *devices && i < count; i++) {
        struct tailnet_device *one = &(*devices)[i];
        free(one->id);
        free(one->node_id);
        free(one->name);
        free(one->hostname);
        words_clear(&one->addresses);
        words_clear(&one->tags);
    }
    free(*devices);
    *devices = NULL;
}

int tailnet_api_delete_device(struct tailnet_api *api, const char *id, struct error *err)
{
    AUTO_FREE char *word = http_word(id);
    AUTO_FREE char *url = xasprintf("%s/device/%s", api->base, word);
    struct order order = {"DELETE",   url,          NULL, "cannot delete the device of the tailnet",
                          &api->tags, SCOPE_DEVICES};
    return send_to_delete(api, &order, err);
}
