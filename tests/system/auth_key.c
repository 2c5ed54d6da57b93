/* Keys and devices over an API that makes real ones, and every way in which it can be ill. */
#include "tailnet/auth_key.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/tailnet.h"
#include "tailnet/api.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(auth_key, .timeout = 240);

static void set_secret(struct secret *secret, const char *name, const char *value)
{
    setenv(name, value, 1);
    *secret = (struct secret){.kind = SECRET_ENV, .where = xstrdup(name)};
}

static struct tailnet_login login_of(struct tailnet_lab *lab, const char *tag)
{
    struct tailnet_login login = {.api = xasprintf("%s/api/v2", tailnet_lab_api(lab))};
    words_add(&login.tags, tag);
    set_secret(&login.oauth_id, "LAB_ID", TAILNET_API_ID);
    set_secret(&login.oauth_secret, "LAB_SECRET", TAILNET_API_SECRET);
    return login;
}

static int key_of(const struct tailnet_login *login, int seconds, char **key, char **id, struct error *err)
{
    struct tailnet_key_wish wish = {
        .tags = &login->tags, .ephemeral = true, .expiry_s = 600, .description = "triphase test"};
    return tailnet_auth_key(login, "/", &wish, deadline_in(seconds * NS_PER_S), key, id, err);
}

Test(auth_key, a_key_from_oauth_joins_and_its_device_is_listed_and_deleted)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct tailnet_login login = login_of(lab, "tag:operator");
    char *key = NULL, *id = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(key_of(&login, 30, &key, &id, &err) == 0, "%s", error_text(&err));
    tailnet_operator_daemon(op, NULL, false, NULL);
    tailnet_operator_join_by(op, key, "op-key");

    struct tailnet_api *api;
    struct tailnet_device *devices;
    size_t count, mine = 0;
    cr_assert(tailnet_api_open(&login, "/", deadline_in(60 * NS_PER_S), &api, &err) == 0 && api);
    cr_assert(tailnet_api_devices(api, &devices, &count, &err) == 0, "%s", error_text(&err));
    while (mine < count && !text_is(devices[mine].hostname, "op-key"))
        mine++;
    cr_assert_lt(mine, count);
    cr_expect(words_have(&devices[mine].tags, "tag:operator"));
    cr_expect(devices[mine].ephemeral && devices[mine].authorized && devices[mine].connected);
    cr_expect_eq(devices[mine].addresses.count, 2);
    cr_expect(tailnet_api_delete_device(api, devices[mine].id, &err) == 0, "%s", error_text(&err));
    cr_expect(tailnet_api_delete_device(api, devices[mine].id, &err) == 0, "again: %s", error_text(&err));
    cr_expect(tailnet_api_delete_key(api, id, &err) == 0, "%s", error_text(&err));
    cr_expect(tailnet_api_delete_key(api, id, &err) == 0, "again: %s", error_text(&err));
    AUTO_FREE char *nodes = tailnet_lab_headscale(lab, "nodes", "list", "-o", "json", NULL);
    cr_expect(!strstr(nodes, "op-key"), "%s", nodes);
    tailnet_devices_free(&devices, count);
    tailnet_api_close(&api);
}

static const struct {
    const char *fault;    /* JSON as of lab/tailscale_api.py */
    int seconds, least;   /* that there are, that it takes */
    enum error_kind kind; /* ERROR_NONE: it gets its key */
    const char *words;
} ills[] = {
    {"[{\"path\": \"/keys\", \"fault\": 429, \"retry_after\": 4, \"times\": 1}]", 30, 4, ERROR_NONE, ""},
    {"[{\"path\": \"/\", \"fault\": 503, \"times\": 2}]", 30, 0, ERROR_NONE, ""},
    {"[{\"path\": \"/keys\", \"fault\": 500, \"times\": 1}]", 30, 0, ERROR_NONE, ""},
    {"[{\"path\": \"/\", \"fault\": \"slow\", \"seconds\": 2}]", 30, 4, ERROR_NONE, ""},
    {"[{\"path\": \"/\", \"fault\": \"reset\", \"times\": 1}]", 30, 0, ERROR_NONE, ""},
    {"[{\"path\": \"/keys\", \"fault\": \"truncated\", \"times\": 1}]", 30, 0, ERROR_NONE, ""},
    {"[{\"path\": \"/\", \"fault\": 503}]", 3, 0, ERROR_UNREACHABLE, "cannot do it now (503"},
    {"[{\"path\": \"/\", \"fault\": \"silent\"}]", 3, 0, ERROR_UNREACHABLE, "out of reach"},
    {"[{\"path\": \"/\", \"fault\": \"reset\"}]", 3, 0, ERROR_UNREACHABLE, "resets the connection"},
    {"[{\"path\": \"/\", \"fault\": \"truncated\"}]", 3, 0, ERROR_UNREACHABLE, "too early"},
    {"[{\"path\": \"/\", \"fault\": \"not-json\"}]", 3, 0, ERROR_UNREACHABLE, "is not the API"},
};

Test(auth_key, each_ill_of_the_api_is_outlived_or_said)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_login login = login_of(lab, "tag:operator");
    for (size_t i = 0; i < COUNT_OF(ills); i++) {
        char *key = NULL, *id = NULL;
        AUTO_ERROR err = ERROR_INIT;
        tailnet_lab_api_fault(lab, ills[i].fault);
        int64_t since = moment_monotonic();
        int got = key_of(&login, ills[i].seconds, &key, &id, &err);
        cr_expect_geq(moment_monotonic() - since, ills[i].least * NS_PER_S, "%zu", i);
        cr_expect_lt(moment_monotonic() - since, (ills[i].seconds + 2) * NS_PER_S, "%zu", i);
        cr_expect_eq(got < 0 ? err.kind : ERROR_NONE, ills[i].kind, "%zu: %s", i, error_text(&err));
        cr_expect(got == 0 || strstr(error_text(&err), ills[i].words), "%zu: %s", i, error_text(&err));
        cr_expect(!strstr(error_text(&err), TAILNET_API_SECRET));
        free(key);
        free(id);
    }
    tailnet_lab_api_fault(lab, "[]");
}

Test(auth_key, wrong_credentials_and_a_tag_that_is_not_theirs_are_said)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_login login = login_of(lab, "tag:operator"), other = login_of(lab, "tag:nobodys");
    char *key = NULL, *id = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_expect(key_of(&other, 10, &key, &id, &err) < 0);
    cr_expect_eq(err.kind, ERROR_PROJECT);
    cr_expect(strstr(error_text(&err), "does not permit the tags"), "%s", error_text(&err));
    setenv("LAB_SECRET", "tskey-client-wrong", 1);
    tailnet_lab_api_fault(lab, "[{\"path\": \"/\", \"fault\": \"date\", \"seconds\": -7200}]");
    cr_expect(key_of(&login, 10, &key, &id, &err) < 0);
    cr_expect_eq(err.kind, ERROR_PROJECT);
    cr_expect(strstr(error_text(&err), "does not know these credentials (401"), "%s", error_text(&err));
    cr_expect(strstr(error_text(&err), "this machine's clock is 2h00m ahead of the server's"), "%s",
              error_text(&err));
    tailnet_lab_api_fault(lab, "[]");
    login.oauth_secret = (struct secret){.kind = SECRET_NONE};
    set_secret(&login.api_key, "LAB_KEY", TAILNET_API_KEY);
    cr_expect(key_of(&login, 10, &key, &id, &err) == 0, "by the API key: %s", error_text(&err));
}
