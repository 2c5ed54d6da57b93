/* The test's server of Tailscale's API, judged by Tailscale's own client: what it makes works, what it
 * refuses is understood. */
#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"
#include "lab/tailnet.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(tailnet_api, .timeout = 200);

/* What the client printed for `words`; json_free it. It ended with `code`. */
static struct json *judge(struct tailnet_lab *lab, const char *credentials, const char *words, int code)
{
    AUTO_FREE char *said = rig_output("%s %s/tailnet-client %s %s; echo $?", credentials,
                                      tailnet_lab_programs(lab), tailnet_lab_api(lab), words);
    AUTO_ERROR err = ERROR_INIT;
    char *line = strchr(said, '\n');
    cr_assert(line != NULL, "%s", words);
    cr_assert(eq(int, (int)strtol(line + 1, NULL, 10), code), "%s: %s", words, said);
    struct json *told = json_parse(said, (size_t)(line - said), &err);
    cr_assert(told != NULL, "%s: %s", words, said);
    return told;
}

static const char oauth[] =
    "TAILSCALE_OAUTH_ID=" TAILNET_API_ID " TAILSCALE_OAUTH_SECRET=" TAILNET_API_SECRET;
static const char api_key[] = "TAILSCALE_API_KEY=" TAILNET_API_KEY;

static size_t count_devices(struct tailnet_lab *lab)
{
    struct json *told = judge(lab, api_key, "key devices", 0);
    size_t count = json_count(json_get(told, "devices"));
    json_free(told);
    return count;
}

static bool is_gone(void *context)
{
    AUTO_FREE char *nodes = tailnet_lab_headscale(context, "nodes", "list", "-o", "json", NULL);
    return !strstr(nodes, "operator-");
}

Test(tailnet_api, the_official_client_makes_keys_that_work_and_deletes_devices_that_are_gone)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct json *told = judge(lab, oauth, "oauth make tag:operator", 0);
    const struct json *made = json_get(told, "made");
    const char *key = json_get_string(made, "key", ""), *id = json_get_string(made, "id", "");
    tailnet_operator_daemon(op, NULL, false, NULL);

    tailnet_operator_join_by(op, key, "operator-1");

    struct json *list = judge(lab, oauth, "oauth devices", 0);
    const struct json *device = json_at(json_get(list, "devices"), 0);
    cr_expect(eq(str, (char *)(uintptr_t)json_get_string(device, "hostname", ""), "operator-1"));
    cr_expect(
        eq(str, (char *)(uintptr_t)json_string(json_at(json_get(device, "tags"), 0), ""), "tag:operator"));
    cr_expect(json_get_bool(device, "connectedToControl"));
    cr_expect(json_get_bool(device, "isEphemeral"));
    /* A key that is deleted lets nobody in any more, and whoever came by it stays what it is. */
    AUTO_FREE char *unmake = xasprintf("%s %s/tailnet-client %s oauth unmake %s", oauth,
                                       tailnet_lab_programs(lab), tailnet_lab_api(lab), id);
    rig_shell("%s", unmake);
    struct json *after = judge(lab, oauth, "oauth devices", 0);
    cr_expect(json_get_bool(json_at(json_get(after, "devices"), 0), "isEphemeral"));
    json_free(after);
    AUTO_FREE char *delete = xasprintf("oauth delete %s", json_get_string(device, "nodeId", ""));
    AUTO_FREE char *again = xasprintf("%s", delete);
    AUTO_FREE char *get = xasprintf("oauth get %s", id);
    struct json *unmade = judge(lab, oauth, get, 1);
    cr_expect(eq(i64, json_get_integer(json_get(unmade, "error"), "status", 0), 404));
    free(rig_output("%s %s/tailnet-client %s %s", oauth, tailnet_lab_programs(lab), tailnet_lab_api(lab),
                    delete));
    cr_expect(lab_until(10, is_gone, lab), "the device is still there");
    cr_expect(eq(sz, count_devices(lab), 0));
    struct json *absent = judge(lab, oauth, again, 1);
    cr_expect(eq(i64, json_get_integer(json_get(absent, "error"), "status", 0), 404));
    json_free(absent);
    json_free(unmade);
    json_free(list);
    json_free(told);
}

Test(tailnet_api, what_it_refuses_the_official_client_understands)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    tailnet_lab_api(lab);
    static const struct {
        const char *fault, *credentials, *words;
        int status;
        const char *says;
    } cases[] = {
        {"[]", "TAILSCALE_API_KEY=tskey-api-wrong", "key devices", 401, "API token invalid"},
        {"[]", "TAILSCALE_OAUTH_ID=" TAILNET_API_ID " TAILSCALE_OAUTH_SECRET=wrong", "oauth devices", 0,
         "401"},
        {"[]", oauth, "oauth make tag:other", 400, "invalid or not permitted"},
        {"[]", oauth, "oauth get kNobody", 404, "not found"},
        {"[{\"path\": \"devices\", \"fault\": 403, \"message\": \"no\"}]", api_key, "key devices", 403, "no"},
        {"[{\"path\": \"devices\", \"fault\": 429, \"retry_after\": 2}]", api_key, "key devices", 429, ""},
        {"[{\"path\": \"devices\", \"fault\": 503}]", api_key, "key devices", 503, ""},
        {"[{\"path\": \"devices\", \"fault\": \"truncated\"}]", api_key, "key devices", 0, "EOF"},
        {"[{\"path\": \"devices\", \"fault\": \"reset\"}]", api_key, "key devices", 0, "reset"},
        {"[{\"path\": \"devices\", \"fault\": \"not-json\"}]", api_key, "key devices", 0, "invalid"},
        {"[{\"path\": \"devices\", \"fault\": \"silent\"}]", api_key, "key devices", 0, "exceeded"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        tailnet_lab_api_fault(lab, cases[i].fault);
        struct json *told = judge(lab, cases[i].credentials, cases[i].words, 1);
        const struct json *error = json_get(told, "error");
        cr_expect(eq(i64, json_get_integer(error, "status", -1), cases[i].status), "%zu", i);
        cr_expect(strstr(json_get_string(error, "message", ""), cases[i].says) != NULL, "%zu: %s", i,
                  json_get_string(error, "message", ""));
        json_free(told);
    }
    /* A fault that is played a number of times gives way to the real answer. */
    tailnet_lab_api_fault(lab, "[{\"path\": \"devices\", \"fault\": 500, \"times\": 1}]");
    json_free(judge(lab, api_key, "key devices", 1));
    json_free(judge(lab, api_key, "key devices", 0));
    AUTO_FREE char *requests = tailnet_lab_api_requests(lab);
    cr_expect(strstr(requests, "GET /api/v2/tailnet/-/devices 503\n") != NULL, "%s", requests);
    cr_expect(strstr(requests, "tskey") == NULL);
}
