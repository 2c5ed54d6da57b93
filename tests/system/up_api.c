/* triphase up with keys that it makes itself, and what it says where that is refused: over the lab's API,
 * which makes them through headscale. */
#include "base/memory.h"
#include "base/text.h"
#include "lab/up.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(up_api, .timeout = 240);

static int requests(struct tailnet_lab *lab, const char *begin)
{
    AUTO_FREE char *all = tailnet_lab_api_requests(lab);
    int count = 0;
    for (const char *line = all; line; line = strchr(line, '\n'), line += line != NULL)
        count += text_starts(line, begin);
    return count;
}

static struct json *keys(struct tailnet_lab *lab)
{
    AUTO_FREE char *list = tailnet_lab_headscale(lab, "preauthkeys", "list", "-o", "json", NULL);
    return json_parse(list, strlen(list), NULL);
}

static int64_t seconds_of(const struct json *key, const char *name)
{
    return json_get_integer(json_get(key, name), "seconds", 0);
}

Test(up_api, makes_one_short_lived_ephemeral_tagged_key_of_OAuth_and_deletes_it_after_use)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct lab *project = up_project_with_api(lab, op, "");

    struct lab_result up = lab_run(project, "up", "--json", NULL);

    cr_assert(eq(int, up.code, 0), "%s%s", up.out, up.err);
    AUTO_JSON *said = up_parsed(&up), *made = keys(lab);
    const struct json *key = json_at(made, 0);
    cr_expect(eq(i64, json_get_integer(said, "keys_made", 0), 1));
    cr_expect(up_has(json_get(said, "tags"), "tag:operator"));
    cr_assert(eq(sz, json_count(made), 1));
    cr_expect(json_get_bool(key, "ephemeral") && !json_get_bool(key, "reusable") &&
              json_get_bool(key, "used"));
    cr_expect(up_has(json_get(key, "acl_tags"), "tag:operator"));
    cr_expect(seconds_of(key, "expiration") - seconds_of(key, "created_at") <= 300);
    cr_expect(eq(int, requests(lab, "POST /api/v2/tailnet/-/keys 200"), 1));
    cr_expect(eq(int, requests(lab, "DELETE /api/v2/tailnet/-/keys/"), 1));
    up_down(project);
    up_expect_nothing_is_left(lab, op);
}

Test(up_api, run_again_asks_no_API_and_starts_nothing)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct lab *project = up_project_with_api(lab, op, "");
    struct lab_result first = lab_run(project, "up", "--json", NULL);
    cr_assert(eq(int, first.code, 0), "%s%s", first.out, first.err);
    AUTO_FREE char *before = tailnet_lab_api_requests(lab);

    struct lab_result second = lab_run(project, "up", "--json", NULL);

    cr_assert(eq(int, second.code, 0), "%s%s", second.out, second.err);
    AUTO_JSON *one = up_parsed(&first), *two = up_parsed(&second);
    AUTO_FREE char *after = tailnet_lab_api_requests(lab);
    cr_expect(eq(str, after, before));
    cr_expect(not(json_get_bool(two, "changed")));
    cr_expect(eq(i64, json_get_integer(one, "pid", 1), json_get_integer(two, "pid", 2)));
    cr_expect(strstr(second.err, "starting") == NULL && strstr(second.err, "joining") == NULL, "%s",
              second.err);
    up_down(project);
}

Test(up_api, of_an_API_key_too_and_reusable_where_that_is_asked_for)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    AUTO_FREE char *how =
        xasprintf("  api: %s/api/v2\n  api_key: {file: the-key}\n  reusable: true\n", tailnet_lab_api(lab));
    struct lab *project = up_project(lab, op, how);
    lab_write(project, "the-key", "%s\n", tailnet_lab_api_key(lab));

    struct lab_result up = lab_run(project, "up", "--json", NULL);

    cr_assert(eq(int, up.code, 0), "%s%s", up.out, up.err);
    AUTO_JSON *made = keys(lab);
    cr_expect(json_get_bool(json_at(made, 0), "reusable") && json_get_bool(json_at(made, 0), "ephemeral"));
    cr_expect(eq(int, requests(lab, "DELETE /api/v2/tailnet/-/keys/"), 1));
    up_down(project);
}

/* A join that ends with this code and these words within a bound, and leaves nothing. */
static void expect_failure(struct tailnet_lab *lab, struct tailnet_operator *op, struct lab *project,
                           int code, const char *words)
{
    struct lab_result up = lab_run(project, "up", "--within", "20s", NULL);
    cr_expect(eq(int, up.code, code), "%s%s", up.out, up.err);
    cr_expect(strstr(up.err, words) != NULL, "no '%s' in: %s", words, up.err);
    cr_expect(up.seconds < 40, "%g s", up.seconds);
    up_expect_nothing_is_left(lab, op);
}

/* Who is let in from now on: triphase's client, by that secret and with what `more` says. */
static void allow(struct tailnet_lab *lab, const char *secret, const char *more)
{
    AUTO_FREE char *clients =
        xasprintf("{\"clients\": {\"" TAILNET_API_OWN_ID "\": {\"secret\": \"%s\"%s}}}", secret, more);
    tailnet_lab_api_allow(lab, clients);
}

Test(up_api, says_in_clear_words_what_the_API_refuses)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct lab *project = up_project_with_api(lab, op, "");

    allow(lab, "another one", "");
    expect_failure(lab, op, project, 78, "credentials");
    allow(lab, tailnet_lab_api_secret(lab), ", \"tags\": [\"tag:host\"]");
    expect_failure(lab, op, project, 78, "tag");
    allow(lab, tailnet_lab_api_secret(lab), ", \"tags\": [\"tag:operator\"], \"scopes\": [\"devices:core\"]");
    expect_failure(lab, op, project, 78, "auth_keys");
    tailnet_lab_api_allow(lab, "{}");
    tailnet_lab_api_fault(lab, "[{\"path\": \"oauth\", \"fault\": \"date\", \"seconds\": -86400}]");
    expect_failure(lab, op, project, 78, "clock");
}

Test(up_api, says_69_where_the_API_is_out_of_reach_or_broken)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct lab *project = up_project_with_api(lab, op, "");

    tailnet_lab_api_fault(lab, "[{\"path\": \"\", \"fault\": 503, \"message\": \"maintenance\"}]");
    expect_failure(lab, op, project, 69, "503");
    tailnet_lab_api_fault(lab, "[{\"path\": \"\", \"fault\": \"not-json\"}]");
    expect_failure(lab, op, project, 69, "");
    lab_environment(project, "TRIPHASE_OPERATOR_API", "http://10.99.0.1:9/api/v2");
    expect_failure(lab, op, project, 69, "10.99.0.1");
}

Test(up_api, tries_again_on_429_and_5xx_as_long_as_it_is_told)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct lab *project = up_project_with_api(lab, op, "");
    tailnet_lab_api_fault(lab, "[{\"path\": \"keys\", \"method\": \"POST\", \"times\": 1, \"fault\": 429, "
                               "\"retry_after\": 2}, {\"path\": \"oauth\", \"times\": 1, \"fault\": 502}]");

    struct lab_result up = lab_run(project, "up", "--json", NULL);

    cr_assert(eq(int, up.code, 0), "%s%s", up.out, up.err);
    cr_expect(up.seconds >= 2, "%g s", up.seconds);
    cr_expect(eq(int, requests(lab, "POST /api/v2/tailnet/-/keys 429"), 1));
    cr_expect(eq(int, requests(lab, "POST /api/v2/tailnet/-/keys 200"), 1));
    up_down(project);
}

Test(up_api, a_key_that_could_not_be_deleted_is_told_and_deleted_by_the_next_one)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct lab *project = up_project_with_api(lab, op, "");
    tailnet_lab_api_fault(lab, "[{\"path\": \"keys\", \"method\": \"DELETE\", \"fault\": 403}]");

    struct lab_result up = lab_run(project, "up", NULL);
    tailnet_lab_api_fault(lab, "[]");
    struct lab_result again = lab_run(project, "up", NULL);

    cr_expect(up.code == 0 && strstr(up.out, "was not deleted"), "%s%s", up.out, up.err);
    cr_expect(again.code == 0 && !strstr(again.out, "was not deleted"), "%s%s", again.out, again.err);
    cr_expect(eq(int, requests(lab, "DELETE /api/v2/tailnet/-/keys/"), 2));
    up_down(project);
}

Test(up_api, a_node_with_other_tags_than_the_settings_say_gives_way_to_a_new_one)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct lab *project = up_project_with_api(lab, op, "");
    struct lab_result first = lab_run(project, "up", "--json", NULL);
    cr_assert(eq(int, first.code, 0), "%s%s", first.out, first.err);

    lab_environment(project, "TRIPHASE_OPERATOR_TAGS", "[tag:vault]");
    struct lab_result second = lab_run(project, "up", "--json", NULL);

    cr_assert(eq(int, second.code, 0), "%s%s", second.out, second.err);
    AUTO_JSON *said = up_parsed(&second), *list = up_nodes(lab);
    cr_expect(up_has(json_get(said, "tags"), "tag:vault") && !up_has(json_get(said, "tags"), "tag:operator"));
    cr_expect(strstr(second.err, "making a new one") != NULL, "%s", second.err);
    cr_expect(eq(sz, json_count(list), 1), "the old node is still there");
    up_down(project);
}

Test(up_api, a_device_that_cannot_log_out_is_deleted_by_the_API)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct lab *project = up_project_with_api(lab, op, "");
    struct lab_result up = lab_run(project, "up", "--json", NULL);
    cr_assert(eq(int, up.code, 0), "%s%s", up.out, up.err);
    /* The API is reached, the control server is not. */
    free(tailnet_operator_shell(
        op, "nft add table ip t && nft add chain ip t o '{type filter hook output priority 0;}' && "
            "nft add rule ip t o tcp dport 8080 drop"));

    struct lab_result down = lab_run(project, "up", "--down", NULL);

    cr_expect(eq(int, down.code, 0), "%s%s", down.out, down.err);
    cr_expect(eq(int, requests(lab, "DELETE /api/v2/device/"), 1), "%s%s", down.out, down.err);
    up_expect_nothing_is_left(lab, op);
}
