/* The cloud's API as it is asked, what is asked again, and what of an answer is told. */
#include "cloud.h"

#include "base/memory.h"
#include "base/moment.h"
#include "net/http_word.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define OK CLOUD_JSON("200 OK") "{\"server\":{\"id\":42}}"

static int64_t skipped_s(struct cloud_api *api)
{
    return cloud_api_clock(api)->skipped_ns / NS_PER_S;
}

/* ------------------------------------------------------------ opening and asking */
Test(cloud_api, each_request_bears_the_token_and_who_asks)
{
    static const struct web_answer answers[] = {{.bytes = OK}, {.bytes = OK}};
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *out = NULL, *body = json_new_object();
    struct web *web = web_start(NULL, answers, 2);
    struct cloud_api *api = cloud_client(web, 10, &said);
    enum cloud_class class = CLOUD_OTHER;
    json_set_string(body, "name", "tp0123456789");
    cr_assert(cloud_api_get(api, "/servers/42", &out, &class, &err) == 0, "%s", error_text(&err));
    cr_assert_eq(class, CLOUD_NONE);
    cr_assert_eq(json_get_integer(json_get(out, "server"), "id", 0), 42);
    cr_assert(cloud_api_post(api, "/servers", body, NULL, NULL, &err) == 0, "%s", error_text(&err));
    AUTO_FREE char *asked = cloud_asked(web);
    cr_assert_str_eq(asked, "GET /v1/servers/42\nPOST /v1/servers\n");
    for (size_t i = 0; i < 2; i++) {
        cr_assert(strstr(web_request(web, i), "Authorization: Bearer " CLOUD_TOKEN "\r\n"), "%s",
                  web_request(web, i));
        cr_assert(strstr(web_request(web, i), "User-Agent: triphase/"), "%s", web_request(web, i));
    }
    cr_assert(strstr(web_request(web, 1), "Content-Type: application/json\r\n"));
    cr_assert_str_eq(cloud_sent(web, 1), "{\"name\":\"tp0123456789\"}");
    cr_assert_eq(cloud_api_requests(api), 2);
    cloud_api_close(&api);
    cr_assert_null(api);
}

static struct error refused_to_open(const char *token)
{
    struct error err = ERROR_INIT;
    struct cloud_api *api = NULL;
    char endpoint[] = "http://127.0.0.1:1";
    struct cloud_settings settings = {.endpoint = endpoint};
    if (token)
        setenv("HCLOUD_TOKEN", token, 1);
    else
        unsetenv("HCLOUD_TOKEN");
    cr_assert(cloud_api_open(&settings, "/", deadline_in(NS_PER_S), &api, &err) < 0);
    cr_assert_null(api);
    cr_assert_eq(err.kind, ERROR_PROJECT);
    return err;
}

Test(cloud_api, a_token_that_is_not_there_or_none_at_all_is_said_without_it)
{
    static const char *const bad[] = {"hcTestToken0123\r\nX-Other: 1", "hcTestToken 0123",
                                      "hcTestToken\xc3\xa4"};
    AUTO_ERROR none = refused_to_open(NULL);
    cr_assert(strstr(error_text(&none), "`token`") && strstr(error_text(&none), "HCLOUD_TOKEN"), "%s",
              error_text(&none));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_ERROR err = refused_to_open(bad[i]);
        cr_expect_null(strstr(error_text(&err), "hcTest"), "%s", error_text(&err));
    }
}

Test(cloud_api, the_targets_own_token_beats_the_variable)
{
    static const struct web_answer answers[] = {{.bytes = OK}};
    AUTO_ERROR err = ERROR_INIT;
    struct cloud_api *api = NULL;
    struct web *web = web_start(NULL, answers, 1);
    AUTO_FREE char *endpoint = xasprintf("%s/v1", web_base(web));
    char own[] = "OWN_TOKEN";
    struct cloud_settings settings = {.endpoint = endpoint, .token = {.kind = SECRET_ENV, .where = own}};
    setenv("HCLOUD_TOKEN", CLOUD_TOKEN, 1);
    setenv("OWN_TOKEN", "theTargetsOwn", 1);
    cr_assert(cloud_api_open(&settings, "/", deadline_in(10 * NS_PER_S), &api, &err) == 0);
    cr_assert(cloud_api_get(api, "/servers/42", NULL, NULL, &err) == 0, "%s", error_text(&err));
    cr_assert(strstr(web_request(web, 0), "Authorization: Bearer theTargetsOwn\r\n"));
    cloud_api_close(&api);
}

/* ------------------------------------------------------------ what is refused */
static char *mark_of(const char *endpoint, const char *token, const char *salt)
{
    char *where = (char *)endpoint;
    const struct cloud_settings settings = {.endpoint = where};
    AUTO_ERROR err = ERROR_INIT;
    struct cloud_api *api = NULL;
    setenv("HCLOUD_TOKEN", token, 1);
    cr_assert(cloud_api_open(&settings, "/", deadline_in(NS_PER_S), &api, &err) == 0, "%s", error_text(&err));
    char *mark = cloud_api_mark(api, salt);
    cloud_api_close(&api);
    return mark;
}

Test(cloud_api, a_mark_tells_endpoint_token_and_machine_apart_and_nothing_of_the_token)
{
    AUTO_FREE char *one = mark_of("http://a/v1", "tokenA", "m"),
                   *same = mark_of("http://a/v1", "tokenA", "m");
    AUTO_FREE char *token = mark_of("http://a/v1", "tokenB", "m"),
                   *there = mark_of("http://b/v1", "tokenA", "m");
    AUTO_FREE char *machine = mark_of("http://a/v1", "tokenA", "n");
    cr_assert_str_eq(one, same);
    cr_assert_str_neq(one, token);
    cr_assert_str_neq(one, there);
    cr_assert_str_neq(one, machine);
    cr_assert_null(strstr(one, "token"));
}

Test(cloud_api, a_refusal_is_told_once_with_its_class_and_what_to_do)
{
    static const struct {
        const char *answer;
        enum cloud_class class;
        enum error_kind kind;
        const char *words[3];
    } cases[] = {
        {CLOUD_ERROR("412 Precondition Failed", "resource_unavailable", "error during placement"),
         CLOUD_CAPACITY,
         ERROR_PROVIDER,
         {"no capacity", "(412 resource_unavailable: error during placement)", "`location`"}},
        {CLOUD_JSON("403 Forbidden") "{\"error\":{\"code\":\"resource_limit_exceeded\",\"message\":\"server "
                                     "limit exceeded\",\"details\":{\"limits\":[{\"name\":\"servers\"}]}}}",
         CLOUD_QUOTA,
         ERROR_PROVIDER,
         {"a limit of the account", "limit servers", "raise the limit"}},
        {CLOUD_JSON("422 Unprocessable") "{\"error\":{\"code\":\"invalid_input\",\"message\":\"invalid "
                                         "input\",\"details\":{\"fields\":[{\"name\":\"image\",\"messages\":"
                                         "[\"is unknown\"]}]}}}",
         CLOUD_CONFIGURATION,
         ERROR_PROJECT,
         {"does not take", "invalid input, image: is unknown", "triphase.yml"}},
        {CLOUD_ERROR("401 Unauthorized", "unauthorized", "unable to authenticate"),
         CLOUD_AUTH,
         ERROR_PROJECT,
         {"the token is not accepted", "401 unauthorized", "HCLOUD_TOKEN"}},
        {CLOUD_ERROR("403 Forbidden", "forbidden", "insufficient permissions"),
         CLOUD_AUTH,
         ERROR_PROJECT,
         {"the token is not accepted", "403 forbidden", "permit writing"}},
        {CLOUD_ERROR("404 Not Found", "not_found", "server not found"),
         CLOUD_ABSENT,
         ERROR_PROVIDER,
         {"knows no such thing", "server not found", "GET /servers/42"}},
        {CLOUD_ERROR("422 Unprocessable", "resource_in_use", "firewall is in use"),
         CLOUD_IN_USE,
         ERROR_PROVIDER,
         {"uses it still", "firewall is in use", "first"}},
        {CLOUD_ERROR("409 Conflict", "uniqueness_error", "name is used"),
         CLOUD_NOT_UNIQUE,
         ERROR_PROJECT,
         {"the same", "name is used", "rename or remove"}},
        {CLOUD_ERROR("423 Locked", "protected", "server is protected"),
         CLOUD_OTHER,
         ERROR_PROVIDER,
         {"refuses", "server is protected", "protection away"}},
        {CLOUD_JSON("403 Forbidden") "{\"error\":{\"code\":\"forbidden\",\"message\":null,\"details\":null}}",
         CLOUD_AUTH,
         ERROR_PROJECT,
         {"(403 forbidden)", "token", "token"}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct web_answer answer = {.bytes = cases[i].answer};
        AUTO_TEXT said = TEXT_INIT;
        AUTO_ERROR err = ERROR_INIT;
        struct web *web = web_start(NULL, &answer, 1);
        struct cloud_api *api = cloud_client(web, 600, &said);
        enum cloud_class class = CLOUD_NONE;
        cr_expect(cloud_api_get(api, "/servers/42", NULL, &class, &err) < 0);
        cr_expect_eq(class, cases[i].class, "%zu: %s", i, error_text(&err));
        cr_expect_eq(err.kind, cases[i].kind, "%zu: %s", i, error_text(&err));
        for (size_t word = 0; word < 3; word++)
            cr_expect(strstr(error_text(&err), cases[i].words[word]), "%zu: no '%s' in: %s", i,
                      cases[i].words[word], error_text(&err));
        cr_expect_eq(web_count(web), 1, "%zu: asked %zu times", i, web_count(web));
        cloud_api_close(&api);
    }
}

Test(cloud_api, words_of_a_server_are_shown_short_printable_and_without_the_token)
{
    static const struct web_answer answers[] = {
        {.bytes = CLOUD_ERROR("422 Unprocessable", "invalid_input", "the token " CLOUD_TOKEN " is odd")},
        {.bytes = CLOUD_ERROR("422 Unprocessable", "invalid_" CLOUD_TOKEN, "odd")},
        {.bytes = CLOUD_ERROR("422 Unprocessable", "invalid_input", "one\\u001b[2Jtwo\\nthree")}};
    AUTO_TEXT said = TEXT_INIT;
    struct web *web = web_start(NULL, answers, 3);
    struct cloud_api *api = cloud_client(web, 10, &said);
    for (int i = 0; i < 3; i++) {
        AUTO_ERROR err = ERROR_INIT;
        cr_assert(cloud_api_get(api, "/servers/42", NULL, NULL, &err) < 0);
        cr_expect_null(strstr(error_text(&err), CLOUD_TOKEN), "%s", error_text(&err));
        cr_expect_null(strpbrk(error_text(&err), "\033\n"), "%s", error_text(&err));
    }
    cloud_api_close(&api);
}

/* ------------------------------------------------------------ what is asked again */
Test(cloud_api, what_passes_is_asked_again_until_it_is_answered)
{
    static const struct web_answer answers[] = {
        {.bytes = CLOUD_ERROR("429 Too Many", "rate_limit_exceeded", "limit of 3600 requests per hour")},
        {.bytes = CLOUD_ERROR("409 Conflict", "conflict", "item is used")},
        {.bytes = CLOUD_ERROR("423 Locked", "locked", "item is locked")},
        {.bytes = CLOUD_ERROR("403 Forbidden", "maintenance", "soon")},
        {.bytes = CLOUD_ERROR("422 Unprocessable", "service_error", "ill")},
        {.bytes = CLOUD_JSON("502 Bad Gateway") "<html>"},
        {.bytes = CLOUD_ERROR("503 Unavailable", "unavailable", "ill")},
        {.bytes = CLOUD_ERROR("504 Timeout", "timeout", "slow")},
        {.end = WEB_RESET},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{\"server\":"},
        {.bytes = CLOUD_JSON("200 OK") "{\"server\":"},
        {.bytes = OK}};
    static const char *const methods[] = {"GET", "PUT", "DELETE"};
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        AUTO_TEXT said = TEXT_INIT;
        AUTO_ERROR err = ERROR_INIT;
        AUTO_JSON *out = NULL, *body = json_new_object();
        struct web *web = web_start(NULL, answers, COUNT_OF(answers));
        struct cloud_api *api = cloud_client(web, 3600, &said);
        enum cloud_class class = CLOUD_OTHER;
        int result = i == 0   ? cloud_api_get(api, "/servers/42", &out, &class, &err)
                     : i == 1 ? cloud_api_put(api, "/servers/42", body, &out, &class, &err)
                              : cloud_api_delete(api, "/servers/42", &out, &class, &err);
        cr_expect(result == 0, "%s: %s", methods[i], error_text(&err));
        cr_expect_eq(class, CLOUD_NONE);
        cr_expect_eq(json_get_integer(json_get(out, "server"), "id", 0), 42);
        cr_expect_eq(web_count(web), COUNT_OF(answers), "%s", methods[i]);
        cr_expect(text_starts(text_string(&said), "rate limit ("), "%s", text_string(&said));
        /* 1+2+4+8+16+32 and five times 60, a quarter less at the most */
        cr_expect(skipped_s(api) > 271 && skipped_s(api) <= 363, "%lld s", (long long)skipped_s(api));
        cloud_api_close(&api);
    }
}

Test(cloud_api, a_post_is_repeated_only_where_the_server_did_nothing)
{
    static const struct web_answer nothing[] = {
        {.bytes = CLOUD_ERROR("429 Too Many", "rate_limit_exceeded", "slow")},
        {.bytes = CLOUD_ERROR("409 Conflict", "conflict", "item is used")},
        {.bytes = CLOUD_ERROR("423 Locked", "locked", "item is locked")},
        {.bytes = OK}};
    static const struct web_answer perhaps[] = {
        {.bytes = CLOUD_ERROR("500 Internal", "unknown_error", "ill")},
        {.bytes = CLOUD_JSON("502 Bad Gateway") "<html>"},
        {.bytes = CLOUD_ERROR("503 Unavailable", "unavailable", "ill")},
        {.bytes = CLOUD_ERROR("504 Timeout", "timeout", "slow")},
        {.bytes = CLOUD_ERROR("422 Unprocessable", "service_error", "ill")},
        {.end = WEB_RESET},
        {.bytes = "HTTP/1.1 201 Created\r\nContent-Length: 400\r\n\r\n{\"server\":"},
        {.bytes = CLOUD_JSON("201 Created") "{\"server\":"}};
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *body = json_new_object();
    struct web *web = web_start(NULL, nothing, COUNT_OF(nothing));
    struct cloud_api *api = cloud_client(web, 600, &said);
    cr_assert(cloud_api_post(api, "/servers", body, NULL, NULL, &err) == 0, "%s", error_text(&err));
    cr_assert_eq(web_count(web), 4);
    cloud_api_close(&api);
    for (size_t i = 0; i < COUNT_OF(perhaps); i++) {
        web = web_start(NULL, &perhaps[i], 1);
        api = cloud_client(web, 600, &said);
        enum cloud_class class = CLOUD_NONE;
        cr_expect(cloud_api_post(api, "/servers", body, NULL, &class, &err) < 0);
        cr_expect_eq(class, CLOUD_TRANSIENT, "%zu: %s", i, error_text(&err));
        cr_expect_eq(web_count(web), 1, "%zu: posted %zu times", i, web_count(web));
        cloud_api_close(&api);
    }
}

Test(cloud_api, a_post_is_not_sent_a_second_time_where_a_kept_connection_would_die_under_it)
{
    static const struct web_answer answers[] = {{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                                                 .end = WEB_KEEP},
                                                {.end = WEB_RESET},
                                                {.bytes = OK}};
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *body = json_new_object();
    enum cloud_class class = CLOUD_NONE;
    struct web *web = web_start(NULL, answers, COUNT_OF(answers));
    struct cloud_api *api = cloud_client(web, 600, &said);
    cr_assert(cloud_api_get(api, "/servers/42", NULL, NULL, &err) == 0, "%s", error_text(&err));
    cr_assert(cloud_api_post(api, "/servers", body, NULL, &class, &err) < 0);
    cr_assert_eq(class, CLOUD_TRANSIENT);
    AUTO_FREE char *asked = cloud_asked(web);
    cr_assert_str_eq(asked, "GET /v1/servers/42\nPOST /v1/servers\n");
    cloud_api_close(&api);
}

Test(cloud_api, reads_go_over_one_connection)
{
    static const struct web_answer answer = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                                             .end = WEB_KEEP};
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct web *web = web_start(NULL, &answer, 1);
    struct cloud_api *api = cloud_client(web, 10, &said);
    for (int i = 0; i < 5; i++)
        cr_assert(cloud_api_get(api, "/servers/42", NULL, NULL, &err) == 0, "%s", error_text(&err));
    cr_assert_eq(web_count(web), 5);
    cr_assert_eq(web_connections(web), 1);
    cloud_api_close(&api);
}

Test(cloud_api, a_rate_limit_costs_seconds_and_not_the_time_until_the_bucket_is_full)
{
    static const struct web_answer answers[] = {
        {.bytes =
             "HTTP/1.1 429 Too Many\r\nRateLimit-Limit: 3600\r\nRateLimit-Remaining: 0\r\nRateLimit-Reset: "
             "4102444800\r\nConnection: close\r\n\r\n{}"},
        {.bytes = "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nConnection: close\r\n\r\n{}"},
        {.bytes = OK}};
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct web *web = web_start(NULL, answers, COUNT_OF(answers));
    struct cloud_api *api = cloud_client(web, 600, &said);
    cr_assert(cloud_api_get(api, "/servers/42", NULL, NULL, &err) == 0, "%s", error_text(&err));
    cr_assert(strstr(text_string(&said), "again in 7.00s"), "%s", text_string(&said));
    cr_assert(skipped_s(api) >= 7 && skipped_s(api) <= 8, "%lld s", (long long)skipped_s(api));
    cloud_api_close(&api);
}

Test(cloud_api, one_that_says_at_once_is_not_asked_without_a_pause)
{
    static const struct web_answer answers[] = {
        {.bytes = "HTTP/1.1 429 Too Many\r\nRetry-After: 0\r\nConnection: close\r\n\r\n{}"}};
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct web *web = web_start(NULL, answers, COUNT_OF(answers));
    struct cloud_api *api = cloud_client(web, 20, &said);
    cr_assert_lt(cloud_api_get(api, "/servers/42", NULL, NULL, &err), 0);
    cr_assert_leq(web_count(web), 6);
    cloud_api_close(&api);
}

Test(cloud_api, pauses_double_from_one_second_to_sixty_and_differ)
{
    int64_t nominal = 1;
    bool differs = false;
    for (int tries = 0; tries < 100; tries++) {
        int64_t pause = cloud_clock_backoff(tries);
        cr_expect(pause <= nominal * NS_PER_S && pause > nominal * NS_PER_S * 3 / 4, "%d: %lld", tries,
                  (long long)pause);
        differs |= pause != nominal * NS_PER_S;
        nominal = nominal * 2 < 60 ? nominal * 2 : 60;
    }
    cr_expect(differs);
}

Test(cloud_api, a_pause_leaves_time_to_ask_once_more)
{
    struct cloud_clock clock = {.deadline = deadline_in(100 * NS_PER_S)};
    cloud_clock_skip_pauses();
    cr_assert(cloud_clock_pause(&clock, 90 * NS_PER_S));
    cr_assert_not(cloud_clock_pause(&clock, 95 * NS_PER_S / 10));
    cr_assert_eq(clock.skipped_ns, 90 * NS_PER_S);
    cr_assert(cloud_clock_pause(&clock, NS_PER_S));
}

Test(cloud_api, what_stays_ill_is_given_up_by_the_deadline_and_told_as_it_was_last)
{
    static const struct web_answer ill = {.bytes = CLOUD_ERROR("503 Unavailable", "unavailable", "ill")};
    static const struct web_answer long_wait = {
        .bytes = "HTTP/1.1 429 Too Many\r\nRetry-After: 3600\r\nConnection: close\r\n\r\n{}"};
    static const struct web_answer page = {.bytes = CLOUD_JSON("200 OK") "<html>Sign in</html>"};
    static const struct {
        const struct web_answer *answer;
        enum cloud_class class;
        size_t least, most;
        const char *words;
    } cases[] = {{&ill, CLOUD_TRANSIENT, 6, 8, "503 unavailable: ill"},
                 {&long_wait, CLOUD_RATE, 1, 1, "429"},
                 {&page, CLOUD_TRANSIENT, 3, 3, "is not the cloud's API"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_TEXT said = TEXT_INIT;
        AUTO_ERROR err = ERROR_INIT;
        enum cloud_class class = CLOUD_NONE;
        struct web *web = web_start(NULL, cases[i].answer, 1);
        struct cloud_api *api = cloud_client(web, 100, &said);
        cr_expect(cloud_api_get(api, "/servers/42", NULL, &class, &err) < 0);
        cr_expect_eq(class, cases[i].class, "%s", error_text(&err));
        cr_expect(strstr(error_text(&err), cases[i].words), "%s", error_text(&err));
        cr_expect(web_count(web) >= cases[i].least && web_count(web) <= cases[i].most, "%zu: %zu times", i,
                  web_count(web));
        cr_expect_lt(skipped_s(api), 100);
        cloud_api_close(&api);
    }
}

Test(cloud_api, a_server_that_is_silent_or_trickles_is_left_at_the_deadline)
{
    static const struct web_answer cases[] = {{.end = WEB_HOLD},
                                              {.bytes = OK, .pause_ms = 200, .slowly = 1000}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_TEXT said = TEXT_INIT;
        AUTO_ERROR err = ERROR_INIT;
        enum cloud_class class = CLOUD_NONE;
        struct web *web = web_start(NULL, &cases[i], 1);
        struct cloud_api *api = cloud_client(web, 1, &said);
        int64_t since = moment_monotonic();
        cr_expect(cloud_api_get(api, "/servers/42", NULL, &class, &err) < 0);
        cr_expect_eq(class, CLOUD_TRANSIENT);
        cr_expect_lt(moment_monotonic() - since, 10 * NS_PER_S, "one request may take 30 s");
        cr_expect(strstr(error_text(&err), "does not answer"), "%s", error_text(&err));
        cloud_api_close(&api);
    }
}

Test(cloud_api, deleting_what_is_not_there_is_done_but_not_where_no_api_says_so)
{
    static const struct web_answer answers[] = {
        {.bytes = CLOUD_ERROR("503 Unavailable", "unavailable", "ill")},
        {.bytes = CLOUD_ERROR("404 Not Found", "not_found", "no such server")},
        {.bytes = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"},
        {.bytes = CLOUD_JSON("200 OK") "{\"action\":{\"id\":7}}"},
        {.bytes = CLOUD_JSON("404 Not Found") "<html>no such page</html>"}};
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *action = NULL;
    enum cloud_class class = CLOUD_OTHER;
    AUTO_JSON *unset = json_new_null();
    struct json *out = unset;
    struct web *web = web_start(NULL, answers, COUNT_OF(answers));
    struct cloud_api *api = cloud_client(web, 600, &said);
    cr_assert(cloud_api_delete(api, "/servers/42", &out, &class, &err) == 0, "%s", error_text(&err));
    cr_assert_null(out);
    cr_assert_eq(class, CLOUD_NONE);
    cr_assert(cloud_api_delete(api, "/ssh_keys/1", &out, NULL, &err) == 0, "%s", error_text(&err));
    cr_assert_null(out);
    cr_assert(cloud_api_delete(api, "/servers/42", &action, NULL, &err) == 0, "%s", error_text(&err));
    cr_assert_eq(json_get_integer(json_get(action, "action"), "id", 0), 7);
    cr_assert(cloud_api_delete(api, "/servers/42", NULL, &class, &err) < 0);
    cloud_api_close(&api);
}

Test(cloud_api, a_root_password_is_dropped_as_it_comes)
{
    static const struct web_answer answers[] = {
        {.bytes = CLOUD_JSON(
             "201 Created") "{\"server\":{\"id\":42},\"root_password\":\"YItygq1v3GYjjMomLaKc\"}"}};
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *out = NULL, *body = json_new_object();
    struct web *web = web_start(NULL, answers, 1);
    struct cloud_api *api = cloud_client(web, 10, &said);
    cr_assert(cloud_api_post(api, "/servers", body, &out, NULL, &err) == 0, "%s", error_text(&err));
    AUTO_FREE char *all = json_compact(out);
    cr_assert_str_eq(all, "{\"server\":{\"id\":42}}");
    cloud_api_close(&api);
}

Test(cloud_api, the_clouds_clock_is_that_of_its_last_answer)
{
    static const struct web_answer answers[] = {
        {.bytes = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n\r\n{}"},
        {.bytes = OK}};
    AUTO_TEXT said = TEXT_INIT;
    struct web *web = web_start(NULL, answers, 2);
    struct cloud_api *api = cloud_client(web, 10, &said);
    cr_assert_eq(cloud_api_now_ns(api), 0);
    cr_assert(cloud_api_get(api, "/locations", NULL, NULL, NULL) == 0);
    cr_assert(cloud_api_get(api, "/locations", NULL, NULL, NULL) == 0);
    cr_assert_eq(cloud_api_now_ns(api), INT64_C(784111777) * NS_PER_S);
    cloud_api_close(&api);
}

Test(cloud_api, a_text_becomes_a_part_of_a_query)
{
    AUTO_FREE char *query = http_word("triphase-id==a b/\xc3\xa4&c=%");
    cr_assert_str_eq(query, "triphase-id%3D%3Da%20b%2F%C3%A4%26c%3D%25");
}

/* ------------------------------------------------------------ listings */
static struct json *reply_with(int count)
{
    struct json *reply = json_new_object(), *next = json_new_array();
    for (int i = 1; i <= count; i++) {
        struct json *action = json_new_object();
        json_set_integer(action, "id", i);
        json_set_string(action, "status", "running");
        if (i == 1)
            json_set(reply, "action", action);
        else
            json_append(next, action);
    }
    json_set(reply, "next_actions", next);
    return reply;
}

static char *page_of(int page, int next, int from, int to, int total)
{
    AUTO_TEXT out = TEXT_INIT;
    AUTO_FREE char *after = next ? xasprintf("%d", next) : xstrdup("null");
    text_add(&out, CLOUD_JSON("200 OK") "{\"servers\":[");
    for (int i = from; i <= to; i++)
        text_addf(&out, "%s{\"id\":%d,\"name\":\"tp%010d\"}", i > from ? "," : "", i, i);
    text_addf(&out, "],\"meta\":{\"pagination\":{\"page\":%d,\"next_page\":%s,\"total_entries\":%d}}}", page,
              after, total);
    return text_take(&out);
}

Test(cloud_api, a_listing_of_two_hundred_takes_four_requests_and_no_pause)
{
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *servers = NULL;
    struct web_answer answers[4] = {{0}};
    char *pages[4];
    for (int i = 0; i < 4; i++)
        answers[i].bytes = pages[i] = page_of(i + 1, i < 3 ? i + 2 : 0, i * 50 + 1, i * 50 + 50, 200);
    struct web *web = web_start(NULL, answers, 4);
    struct cloud_api *api = cloud_client(web, 10, &said);
    cr_assert(cloud_api_list(api, "/servers?label_selector=triphase-id%3D%3Dx", "servers", &servers, NULL,
                             &err) == 0,
              "%s", error_text(&err));
    cr_assert_eq(cloud_api_clock(api)->skipped_ns, 0);
    cr_assert_eq(json_count(servers), 200);
    cr_assert_eq(json_get_integer(json_at(servers, 199), "id", 0), 200);
    AUTO_FREE char *asked = cloud_asked(web);
    cr_assert_str_eq(asked, "GET /v1/servers?label_selector=triphase-id%3D%3Dx&page=1&per_page=50\n"
                            "GET /v1/servers?label_selector=triphase-id%3D%3Dx&page=2&per_page=50\n"
                            "GET /v1/servers?label_selector=triphase-id%3D%3Dx&page=3&per_page=50\n"
                            "GET /v1/servers?label_selector=triphase-id%3D%3Dx&page=4&per_page=50\n");
    cloud_api_close(&api);
    for (int i = 0; i < 4; i++)
        free(pages[i]);
}

Test(cloud_api, a_listing_that_lacks_a_page_or_an_item_is_none)
{
    AUTO_FREE char *first = page_of(1, 2, 1, 50, 60);
    AUTO_FREE char *empty = page_of(2, 0, 1, 0, 60), *again = page_of(1, 2, 51, 60, 60);
    AUTO_FREE char *back = page_of(2, 1, 51, 60, 60);
    const struct {
        const char *second;
        const char *words;
    } cases[] = {
        {CLOUD_ERROR("404 Not Found", "not_found", "no such page"), "no such page"},
        {CLOUD_ERROR("401 Unauthorized", "unauthorized", "no"), "unauthorized"},
        {empty, "do not add up"},
        {again, "which is next"},
        {back, "which is next"},
        {CLOUD_JSON("200 OK") "{\"servers\":[]}", "which is next"},
        {CLOUD_JSON("200 OK") "{}", "lacks what was asked for"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_TEXT said = TEXT_INIT;
        AUTO_ERROR err = ERROR_INIT;
        struct json *servers = NULL;
        const struct web_answer answers[] = {{.bytes = first}, {.bytes = cases[i].second},
                                             {.bytes = first}, {.bytes = cases[i].second},
                                             {.bytes = first}, {.bytes = cases[i].second}};
        struct web *web = web_start(NULL, answers, COUNT_OF(answers));
        struct cloud_api *api = cloud_client(web, 600, &said);
        cr_expect(cloud_api_list(api, "/servers", "servers", &servers, NULL, &err) < 0, "%zu", i);
        cr_expect_null(servers);
        cr_expect(strstr(error_text(&err), cases[i].words), "%zu: %s", i, error_text(&err));
        cloud_api_close(&api);
    }
}

Test(cloud_api, a_listing_or_a_reply_that_is_larger_than_any_is_refused_before_it_fills_the_memory)
{
    AUTO_FREE char *crowded = page_of(1, 2, 1, 51, 51);
    const struct web_answer page = {.bytes = crowded};
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT, many = ERROR_INIT, large = ERROR_INIT;
    AUTO_JSON *servers = NULL, *reply = reply_with(1002);
    struct cloud_api *api = cloud_client(web_start(NULL, &page, 1), 60, &said);
    cr_expect_lt(cloud_api_list(api, "/servers", "servers", &servers, NULL, &err), 0);
    cr_expect(strstr(error_text(&err), "more than was asked for"), "%s", error_text(&err));
    cr_expect_lt(cloud_api_await(api, reply, NULL, &many), 0);
    cr_expect(strstr(error_text(&many), "no request has so many actions"), "%s", error_text(&many));
    cloud_api_close(&api);

    /* Pages of 15 MiB, each of which leads to the next. */
    enum { PAGES = 6, PAGE_BYTES = 15 << 20 };
    struct web_answer pages[PAGES] = {{0}};
    char *texts[PAGES];
    for (int i = 0; i < PAGES; i++) {
        AUTO_FREE char *one = page_of(i + 1, i + 2, 1, 1, 1000);
        pages[i].bytes = texts[i] = xasprintf("%.*s%*s", (int)(strlen(one) - 1), one, PAGE_BYTES, "}");
    }
    api = cloud_client(web_start(NULL, pages, PAGES), 60, &said);
    cr_expect_lt(cloud_api_list(api, "/servers", "servers", &servers, NULL, &large), 0);
    cr_expect(strstr(error_text(&large), "it has no end"), "%s", error_text(&large));
    cloud_api_close(&api);
    for (int i = 0; i < PAGES; i++)
        free(texts[i]);
}

Test(cloud_api, a_listing_that_changed_while_it_was_read_is_read_again)
{
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *servers = NULL;
    /* One of the first page goes before the second is read: what was 51st is on neither. */
    AUTO_FREE char *before = page_of(1, 2, 1, 50, 60), *moved = page_of(2, 0, 52, 60, 59);
    AUTO_FREE char *now = page_of(1, 2, 2, 51, 59);
    const struct web_answer answers[] = {
        {.bytes = before}, {.bytes = moved}, {.bytes = now}, {.bytes = moved}};
    struct web *web = web_start(NULL, answers, COUNT_OF(answers));
    struct cloud_api *api = cloud_client(web, 600, &said);
    cr_assert(cloud_api_list(api, "/servers", "servers", &servers, NULL, &err) == 0, "%s", error_text(&err));
    cr_assert_eq(json_count(servers), 59);
    cr_assert_eq(json_get_integer(json_at(servers, 49), "id", 0), 51);
    cr_assert(strstr(text_string(&said), "changed while it was read"), "%s", text_string(&said));
    cloud_api_close(&api);
}

/* ------------------------------------------------------------ actions */
static char *actions_of(int from, int to, const char *status)
{
    AUTO_TEXT out = TEXT_INIT;
    text_add(&out, CLOUD_JSON("200 OK") "{\"actions\":[");
    for (int i = from; i <= to; i++)
        text_addf(&out, "%s{\"id\":%d,\"status\":\"%s\",\"command\":\"create_server\",\"error\":null}",
                  i > from ? "," : "", i, status);
    text_add(&out, "]}");
    return text_take(&out);
}

static size_t times(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

Test(cloud_api, actions_are_polled_together_at_most_25_in_a_request)
{
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *running = actions_of(1, 25, "running"), *done = actions_of(26, 27, "success");
    AUTO_FREE char *all = actions_of(1, 25, "success");
    const struct web_answer answers[] = {{.bytes = running}, {.bytes = done}, {.bytes = all}};
    AUTO_JSON *reply = reply_with(27);
    enum cloud_class class = CLOUD_OTHER;
    struct web *web = web_start(NULL, answers, COUNT_OF(answers));
    struct cloud_api *api = cloud_client(web, 60, &said);
    cr_assert(cloud_api_await(api, reply, &class, &err) == 0, "%s", error_text(&err));
    cr_assert_eq(class, CLOUD_NONE);
    cr_assert_eq(web_count(web), 3);
    cr_assert_eq(times(web_request(web, 0), "id="), 25);
    cr_assert(strstr(web_request(web, 1), "GET /v1/actions?id=26&id=27&sort=status&sort=id HTTP"), "%s",
              web_request(web, 1));
    cr_assert_eq(times(web_request(web, 2), "id="), 25, "those that have ended are not asked for again");
    cr_assert_eq(cloud_api_clock(api)->skipped_ns, 200 * NS_PER_MS, "100 ms, then 100");
    cloud_api_close(&api);
}

Test(cloud_api, what_has_no_action_under_way_is_not_asked_for)
{
    static const struct web_answer answer = {.bytes = OK};
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *done =
        json_parse("{\"action\":{\"id\":1,\"status\":\"success\"},\"actions\":[],\"next_actions\":[]}", 69,
                   NULL);
    AUTO_JSON *none = json_new_object();
    struct web *web = web_start(NULL, &answer, 1);
    struct cloud_api *api = cloud_client(web, 60, &said);
    cr_assert(done);
    cr_assert(cloud_api_await(api, NULL, NULL, &err) == 0 && cloud_api_await(api, none, NULL, &err) == 0 &&
              cloud_api_await(api, done, NULL, &err) == 0);
    cr_assert_eq(web_count(web), 0);
    cloud_api_close(&api);
}

Test(cloud_api, an_action_that_fails_or_is_not_known_or_never_ends_is_told)
{
    AUTO_FREE char *first = actions_of(1, 1, "success"), *running = actions_of(1, 2, "running");
    const struct {
        const char *answer;
        enum cloud_class class;
        const char *words;
    } cases[] = {
        {CLOUD_JSON(
             "200 OK") "{\"actions\":[{\"id\":1,\"status\":\"success\"},{\"id\":2,\"status\":\"error\","
                       "\"command\":\"start_server\",\"error\":{\"code\":\"resource_unavailable\","
                       "\"message\":\"no room\"}}]}",
         CLOUD_CAPACITY,
         "action start_server failed: the cloud has no capacity for it now (resource_unavailable: "
         "no room)"},
        {CLOUD_JSON(
             "200 OK") "{\"actions\":[{\"id\":1,\"status\":\"success\"},{\"id\":2,\"status\":\"error\","
                       "\"command\":\"start_server\",\"error\":{\"code\":\"action_failed\","
                       "\"message\":\"Action failed\"}}]}",
         CLOUD_OTHER, "action_failed: Action failed"},
        {first, CLOUD_OTHER, "does not know its own action 2"},
        {CLOUD_JSON("200 OK") "{\"actions\":null}", CLOUD_OTHER, "does not know its own action 1"},
        {running, CLOUD_TRANSIENT, "go on still, and the time is up"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct web_answer answer = {.bytes = cases[i].answer};
        AUTO_TEXT said = TEXT_INIT;
        AUTO_ERROR err = ERROR_INIT;
        AUTO_JSON *reply = reply_with(2);
        enum cloud_class class = CLOUD_NONE;
        struct web *web = web_start(NULL, &answer, 1);
        struct cloud_api *api = cloud_client(web, 10, &said);
        cr_expect(cloud_api_await(api, reply, &class, &err) < 0);
        cr_expect_eq(class, cases[i].class, "%zu: %s", i, error_text(&err));
        cr_expect(strstr(error_text(&err), cases[i].words), "%zu: %s", i, error_text(&err));
        cr_expect_leq(web_count(web), 32, "soon for 5 s, then every 500 ms up to 10 s");
        cloud_api_close(&api);
    }
}
