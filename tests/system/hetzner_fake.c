/* The fake of the Hetzner Cloud API plays each fault as it is told: what tests of clients begin with. */
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/hetzner.h"
#include "lab/lab.h"
#include "net/http_ask.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(hetzner_fake, .timeout = 60);

#define CREATE \
    "{\"name\": \"s\", \"server_type\": \"cx23\", \"image\": \"debian-12\", \"location\": \"fsn1\"}"

enum { NO_ANSWER = -1, BOUND_MS = 5000 };

/* The status, or NO_ANSWER; what was said in `said` (text_clear it). */
static int ask_within(struct hetzner *cloud, int64_t bound_ms, const char *method, const char *path,
                      const char *body, struct text *said)
{
    AUTO_FREE char *url = xasprintf("%s%s", hetzner_endpoint(cloud), path);
    struct http_request request = {
        .method = method,
        .url = url,
        /* Over a connection that it used before, libcurl would ask again by itself where no byte comes. */
        .headers = (const char *const[]){"Authorization: Bearer " HETZNER_TOKEN, "Connection: close", NULL},
        .body = body,
        .body_length = body ? strlen(body) : 0,
    };
    AUTO_HTTP_ANSWER answer = {0};
    AUTO_ERROR err = ERROR_INIT;
    text_truncate(said, 0);
    if (http_ask(&request, deadline_in(bound_ms * NS_PER_MS), &answer, &err) < 0) {
        text_add(said, error_text(&err));
        return NO_ANSWER;
    }
    /* None is documented: a client that waits for it waits for ever. */
    cr_expect_eq(answer.retry_after_ns, -1);
    text_add(said, text_string(&answer.body));
    return answer.status;
}

static int ask(struct hetzner *cloud, const char *method, const char *path, const char *body)
{
    AUTO_TEXT said = TEXT_INIT;
    return ask_within(cloud, BOUND_MS, method, path, body, &said);
}

Test(hetzner_fake, a_fault_that_is_an_answer_has_the_vendors_status_and_code_and_nothing_is_made)
{
    static const struct {
        const char *fault;
        int status;
        const char *said;
    } rows[] = {
        {"429", 429, "\"rate_limit_exceeded\""},
        {"500", 500, "\"server_error\""},
        {"502", 502, "\"bad_gateway\""},
        {"503", 503, "\"unavailable\""},
        {"504", 504, "\"timeout\""},
        {"423", 423, "\"locked\""},
        {"\"unsupported_location\"", 422, "unsupported location for server type"},
        {"\"resource_unavailable\"", 412, "\"resource_unavailable\""},
        {"\"limit\"", 403, "\"limits\": [{\"name\": \"servers\"}]"},
        {"\"unauthorized\"", 401, "\"unauthorized\""},
        {"\"readonly\"", 403, "\"token_readonly\""},
        {"\"bare\"", 502, "<h1>502"},
        {"\"not-json\"", 200, "<html>"},
        {"\"empty\"", 200, ""},
        {"422, \"code\": \"placement_error\", \"message\": \"of mine\"", 422, "\"of mine\""},
    };
    struct hetzner *cloud = hetzner_start(NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_TEXT said = TEXT_INIT;
        AUTO_FREE char *fault =
            xasprintf("{\"method\": \"POST\", \"path\": \"/servers$\", \"fault\": %s}", rows[i].fault);
        hetzner_fault(cloud, fault);

        int status = ask_within(cloud, BOUND_MS, "POST", "/servers", CREATE, &said);

        cr_expect_eq(status, rows[i].status, "%s: %d", fault, status);
        cr_expect(strstr(text_string(&said), rows[i].said) != NULL, "%s: %s", fault, text_string(&said));
    }
    cr_expect_eq(hetzner_count(cloud, "servers"), 0);
    cr_expect_eq(ask(cloud, "POST", "/servers", CREATE), 201);
}

Test(hetzner_fake, a_fault_is_played_for_the_requests_it_is_meant_for)
{
    struct hetzner *cloud = hetzner_start(NULL);
    hetzner_fault(cloud,
                  "[{\"method\": \"GET\", \"path\": \"page=2\", \"fault\": 404, \"first\": 2, \"times\": 2},"
                  " {\"path\": \"/ssh_keys\", \"fault\": 500, \"times\": 0},"
                  " {\"path\": \"/servers$\", \"fault\": \"resource_unavailable\", \"locations\": [\"fsn1\"],"
                  " \"times\": 0}]");
    static const int expected[] = {200, 404, 404, 200};
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        cr_expect_eq(ask(cloud, "GET", "/servers?page=2", NULL), expected[i], "the %zu.", i + 1);
        cr_expect_eq(ask(cloud, "GET", "/servers?page=1", NULL), 200);
        cr_expect_eq(ask(cloud, "GET", "/ssh_keys", NULL), 500);
    }
    cr_expect_eq(ask(cloud, "POST", "/servers", CREATE), 412);
    cr_expect_eq(ask(cloud, "POST", "/servers",
                     "{\"name\": \"s\", \"server_type\": \"cx23\", \"image\": \"debian-12\", \"location\": "
                     "\"nbg1\"}"),
                 201);
    hetzner_forgive(cloud);
    cr_expect_eq(ask(cloud, "GET", "/ssh_keys", NULL), 200);
}

Test(hetzner_fake, a_server_is_made_although_the_reply_never_comes_whole)
{
    static const char *const faults[] = {"unanswered", "dropped", "truncated", "reset"};
    struct hetzner *cloud = hetzner_start(NULL);
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        AUTO_TEXT said = TEXT_INIT;
        AUTO_FREE char *fault = xasprintf("{\"path\": \"/servers$\", \"fault\": \"%s\"}", faults[i]),
                       *body = xasprintf("{\"name\": \"s%zu\", \"server_type\": \"cx23\", \"image\": "
                                         "\"debian-12\"}",
                                         i);
        hetzner_fault(cloud, fault);
        cr_expect_eq(ask_within(cloud, i ? BOUND_MS : 500, "POST", "/servers", body, &said), NO_ANSWER,
                     "%s: %s", faults[i], text_string(&said));
        cr_expect_eq(hetzner_count(cloud, "servers"), i + 1, "%s", faults[i]);
    }
    hetzner_fault(cloud, "{\"path\": \"/servers$\", \"fault\": \"refused-reset\"}");
    cr_expect_eq(ask(cloud, "POST", "/servers", CREATE), NO_ANSWER);
    cr_expect_eq(hetzner_count(cloud, "servers"), COUNT_OF(faults));
}

Test(hetzner_fake, slow_delays_the_work_and_late_the_reply)
{
    struct hetzner *cloud = hetzner_start(NULL);
    AUTO_TEXT said = TEXT_INIT;
    hetzner_fault(cloud, "{\"path\": \"/servers$\", \"fault\": \"slow\", \"seconds\": 0.5}");
    cr_expect_eq(ask_within(cloud, 200, "POST", "/servers", CREATE, &said), NO_ANSWER);
    cr_expect_eq(hetzner_count(cloud, "servers"), 0);
    hetzner_fault(cloud, "{\"path\": \"/ssh_keys$\", \"fault\": \"late\", \"seconds\": 0.5}");
    int64_t before = moment_monotonic();
    cr_expect_eq(ask(cloud, "GET", "/ssh_keys", NULL), 200);
    cr_expect_geq(moment_monotonic() - before, 500 * NS_PER_MS);
}

/* The first server's status; malloc'ed. */
static char *status_of_first(struct hetzner *cloud)
{
    AUTO_JSON *state = hetzner_state(cloud);
    return xstrdup(json_get_string(json_at(json_get(state, "servers"), 0), "status", "none"));
}

struct awaited {
    struct hetzner *cloud;
    const char *status;
};

static bool has_status(void *context)
{
    const struct awaited *awaited = context;
    AUTO_FREE char *status = status_of_first(awaited->cloud);
    return text_is(status, awaited->status);
}

Test(hetzner_fake, an_action_fails_when_its_time_is_over_and_what_follows_fails_with_it)
{
    struct hetzner *cloud = hetzner_start((const char *const[]){"--delay", "0.3", NULL});
    hetzner_fault(
        cloud, "{\"path\": \"/servers$\", \"fault\": \"action\", \"command\": \"create_server\", \"code\": "
               "\"resource_unavailable\"}");
    cr_assert_eq(ask(cloud, "POST", "/servers", CREATE), 201);
    AUTO_JSON *state = hetzner_state(cloud);
    const struct json *action = json_at(json_get(state, "actions"), 0);
    cr_expect_str_eq(json_get_string(action, "status", ""), "running");
    AUTO_FREE char *path = xasprintf("/actions?id=%lld", (long long)json_get_integer(action, "id", 0));
    AUTO_TEXT said = TEXT_INIT;
    for (int i = 0; i < 100 && !strstr(text_string(&said), "\"error\", "); i++) {
        moment_sleep(20 * NS_PER_MS);
        cr_assert_eq(ask_within(cloud, BOUND_MS, "GET", path, NULL, &said), 200);
    }
    cr_expect(strstr(text_string(&said), "\"code\": \"resource_unavailable\"") != NULL, "%s",
              text_string(&said));
    AUTO_JSON *after = hetzner_state(cloud);
    cr_expect_str_eq(json_get_string(json_at(json_get(after, "actions"), 1), "status", ""), "error");
    AUTO_FREE char *status = status_of_first(cloud);
    cr_expect_str_eq(status, "initializing");
}

Test(hetzner_fake, a_server_runs_is_gone_behind_ones_back_and_its_wall_is_free_only_after_the_deletion)
{
    struct hetzner *cloud = hetzner_start(NULL);
    cr_assert_eq(ask(cloud, "POST", "/firewalls", "{\"name\": \"w\"}"), 201);
    AUTO_JSON *state = hetzner_state(cloud);
    long long wall = (long long)json_get_integer(json_at(json_get(state, "firewalls"), 0), "id", 0);
    AUTO_FREE char *body = xasprintf("{\"name\": \"s\", \"server_type\": \"cx23\", \"image\": \"debian-12\", "
                                     "\"firewalls\": [{\"firewall\": %lld}]}",
                                     wall),
                   *wall_path = xasprintf("/firewalls/%lld", wall);
    cr_assert_eq(ask(cloud, "POST", "/servers", body), 201);
    cr_assert(lab_until(5, has_status, &(struct awaited){cloud, "running"}));
    AUTO_JSON *running = hetzner_state(cloud);
    AUTO_FREE char *path =
        xasprintf("/servers/%lld",
                  (long long)json_get_integer(json_at(json_get(running, "servers"), 0), "id", 0));
    hetzner_set(cloud, "{\"delay\": 0.3}");
    cr_expect_eq(ask(cloud, "DELETE", path, NULL), 200);
    cr_expect_eq(ask(cloud, "DELETE", wall_path, NULL), 422);
    cr_expect_eq(ask(cloud, "GET", path, NULL), 200);
    cr_expect(lab_until(5, has_status, &(struct awaited){cloud, "none"}));
    cr_expect_eq(ask(cloud, "GET", path, NULL), 404);
    cr_expect_eq(ask(cloud, "DELETE", wall_path, NULL), 204);

    cr_assert_eq(ask(cloud, "POST", "/servers", CREATE), 201);
    hetzner_vanish(cloud, "s");
    cr_expect_eq(hetzner_count(cloud, "servers"), 0);
    cr_assert_eq(ask(cloud, "POST", "/servers", CREATE), 201);
    hetzner_fault(cloud, "{\"method\": \"GET\", \"fault\": \"vanish\", \"name\": \"^s$\"}");
    AUTO_TEXT said = TEXT_INIT;
    cr_expect_eq(ask_within(cloud, BOUND_MS, "GET", "/servers", NULL, &said), 200);
    cr_expect(strstr(text_string(&said), "\"servers\": []") != NULL, "%s", text_string(&said));
}

Test(hetzner_fake, what_is_offered_can_run_out_and_requests_too)
{
    struct hetzner *cloud = hetzner_start((const char *const[]){"--limit", "6", "--most-servers", "1", NULL});
    AUTO_TEXT said = TEXT_INIT;
    hetzner_set(cloud, "{\"unavailable\": [[\"cx23\", \"fsn1\"]]}");
    cr_expect_eq(ask_within(cloud, BOUND_MS, "GET", "/server_types?name=cx23", NULL, &said), 200);
    cr_expect(strstr(text_string(&said), "\"name\": \"fsn1\", \"available\": false") != NULL, "%s",
              text_string(&said));
    cr_expect_eq(ask(cloud, "POST", "/servers", CREATE), 412);
    hetzner_set(cloud, "{\"unavailable\": []}");
    cr_expect_eq(ask(cloud, "POST", "/servers", CREATE), 201);
    static const char second[] = "{\"name\": \"t\", \"server_type\": \"cx23\", \"image\": \"debian-12\"}";
    cr_expect_eq(ask(cloud, "POST", "/servers", second), 403);
    int status = 200;
    for (int i = 0; i < 20 && status == 200; i++)
        status = ask(cloud, "GET", "/servers", NULL);
    cr_expect_eq(status, 429);
}
