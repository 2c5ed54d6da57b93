/* What this program asks a cloud for, against the fake that real clients take for the real one: with its
 * faults, and in real time. */
#include "base/memory.h"
#include "base/moment.h"
#include "cloud/create_server.h"
#include "cloud/lookup.h"
#include "lab/hetzner.h"
#include "lab/lab.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(cloud, .timeout = 60);

#define NAME    "tp0123456789"
#define MACHINE "01935c7a-0000-7000-8000-000123456789"
#define LABELS  "{\"triphase-id\": \"p\", \"triphase-machine\": \"" MACHINE "\"}"

static void hear(void *context, const char *line)
{
    text_addf(context, "%s\n", line);
}

static struct cloud_api *client(const struct hetzner *cloud, int seconds, struct text *said)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *endpoint = xstrdup(hetzner_endpoint(cloud));
    struct cloud_settings settings = {.endpoint = endpoint};
    struct cloud_api *api = NULL;
    setenv("HCLOUD_TOKEN", HETZNER_TOKEN, 1);
    cr_assert(cloud_api_open(&settings, "/", deadline_in(seconds * NS_PER_S), &api, &err) == 0, "%s",
              error_text(&err));
    cloud_api_tell(api, hear, said);
    return api;
}

/* As the provider does it: the type, the image for it, the server; NULL: it failed. */
static struct json *create(struct cloud_api *api, const char *const *places, enum cloud_class *class,
                           struct error *err)
{
    AUTO_CLOUD_SERVER_TYPE type = {0};
    AUTO_CLOUD_IMAGE image = {0};
    AUTO_WORDS locations = WORDS_INIT;
    AUTO_JSON *body = json_new_object();
    struct json *server = NULL;
    words_add_list(&locations, places);
    if (cloud_lookup_server_type(api, "cx23", &type, class, err) < 0 ||
        cloud_lookup_image(api, "docker-ce", type.architecture, &image, class, err) < 0)
        return NULL;
    json_set_string(body, "name", NAME);
    json_set_integer(body, "server_type", type.id);
    json_set_integer(body, "image", image.id);
    json_set(body, "labels", json_parse(LABELS, strlen(LABELS), NULL));
    struct cloud_server_wish wish = {.body = body, .locations = &locations, .type = &type};
    return cloud_create_server(api, &wish, &server, class, err) < 0 ? NULL : server;
}

static const char *const anywhere[] = {"fsn1", "nbg1", "hel1", NULL};

static const char *place_of(const struct json *server)
{
    return json_get_string(json_get(server, "location"), "name", "?");
}

Test(cloud, a_server_takes_four_requests_beside_those_for_its_actions)
{
    struct hetzner *cloud = hetzner_start((const char *const[]){"--delay", "0.1", NULL});
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct cloud_api *api = client(cloud, 30, &said);
    AUTO_JSON *server = create(api, anywhere, NULL, &err);
    cr_assert_not_null(server, "%s", error_text(&err));
    cr_assert_str_eq(json_get_string(server, "status", ""), "running");
    cr_assert_str_eq(place_of(server), "fsn1");
    size_t polls = hetzner_asked(cloud, "GET /v1/actions?");
    cr_assert(polls >= 1 && polls <= 3, "%zu", polls);
    cr_assert_eq((size_t)cloud_api_requests(api), 4 + polls);
    cr_assert_neq(cloud_api_now_ns(api), 0);
    cr_assert_str_eq(text_string(&said), "");
    AUTO_FREE char *kept = json_compact(server);
    cr_assert_null(strstr(kept, HETZNER_ROOT_PASSWORD));
    cloud_api_close(&api);
    hetzner_stop(cloud);
}

Test(cloud, a_place_that_is_full_is_passed_over_and_one_that_turns_out_full_is_left_for_the_next)
{
    struct hetzner *cloud = hetzner_start(NULL);
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct cloud_api *api = client(cloud, 30, &said);
    hetzner_set(cloud, "{\"unavailable\": [[\"cx23\", \"fsn1\"]]}");
    hetzner_fault(cloud,
                  "{\"fault\": \"resource_unavailable\", \"method\": \"POST\", \"path\": \"/servers$\", "
                  "\"locations\": [\"nbg1\"], \"times\": 0}");
    AUTO_JSON *server = create(api, anywhere, NULL, &err);
    cr_assert_not_null(server, "%s", error_text(&err));
    cr_assert_str_eq(place_of(server), "hel1");
    cr_assert_eq(hetzner_asked(cloud, "POST /v1/servers "), 2);
    cr_assert(strstr(text_string(&said), "no capacity in nbg1, next hel1\n"), "%s", text_string(&said));
    cloud_api_close(&api);
    hetzner_stop(cloud);
}

Test(cloud, an_answer_that_is_lost_on_its_way_makes_no_second_server)
{
    static const char *const faults[] = {"dropped", "truncated", "reset"};
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct hetzner *cloud = hetzner_start(NULL);
        AUTO_TEXT said = TEXT_INIT;
        AUTO_ERROR err = ERROR_INIT;
        AUTO_FREE char *fault =
            xasprintf("{\"fault\": \"%s\", \"method\": \"POST\", \"path\": \"/servers$\"}", faults[i]);
        struct cloud_api *api = client(cloud, 30, &said);
        hetzner_fault(cloud, fault);
        AUTO_JSON *server = create(api, anywhere, NULL, &err);
        cr_expect_not_null(server, "%s: %s", faults[i], error_text(&err));
        cr_expect_eq(hetzner_count(cloud, "servers"), 1, "%s", faults[i]);
        cr_expect_eq(hetzner_asked(cloud, "POST /v1/servers "), 1, "%s", faults[i]);
        cr_expect_str_eq(text_string(&said), "the server " NAME " was made after all\n");
        cloud_api_close(&api);
        hetzner_stop(cloud);
    }
}

Test(cloud, trouble_before_anything_was_made_passes_in_seconds)
{
    struct hetzner *cloud = hetzner_start(NULL);
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct cloud_api *api = client(cloud, 50, &said);
    hetzner_fault(cloud, "[{\"fault\": \"bare\", \"method\": \"GET\", \"path\": \"/server_types\"},"
                         "{\"fault\": 429, \"method\": \"GET\", \"path\": \"/images\"},"
                         "{\"fault\": \"refused-reset\", \"method\": \"POST\", \"path\": \"/servers$\"},"
                         "{\"fault\": \"not-json\", \"method\": \"GET\", \"path\": \"/actions\"}]");
    int64_t since = moment_monotonic();
    AUTO_JSON *server = create(api, anywhere, NULL, &err);
    cr_assert_not_null(server, "%s", error_text(&err));
    cr_assert_eq(hetzner_count(cloud, "servers"), 1);
    cr_assert_lt(moment_monotonic() - since, 40 * NS_PER_S, "four pauses of a second: %s",
                 text_string(&said));
    cloud_api_close(&api);
    hetzner_stop(cloud);
}

Test(cloud, an_action_that_fails_late_and_a_server_that_vanishes_are_told)
{
    static const struct {
        const char *fault;
        enum cloud_class class;
        const char *words;
    } cases[] = {
        {"{\"fault\": \"action\", \"method\": \"POST\", \"path\": \"/servers$\", \"command\": "
         "\"start_server\","
         " \"code\": \"action_failed\", \"message\": \"it does not start\"}",
         CLOUD_OTHER, "action start_server failed"},
        {"{\"fault\": \"vanish\", \"method\": \"GET\", \"path\": \"/servers/[0-9]+$\", \"name\": \"^tp\"}",
         CLOUD_ABSENT, "knows no such thing"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct hetzner *cloud = hetzner_start(NULL);
        AUTO_TEXT said = TEXT_INIT;
        AUTO_ERROR err = ERROR_INIT;
        enum cloud_class class = CLOUD_NONE;
        struct cloud_api *api = client(cloud, 20, &said);
        hetzner_fault(cloud, cases[i].fault);
        AUTO_JSON *server = create(api, anywhere, &class, &err);
        cr_expect_null(server);
        cr_expect_eq(class, cases[i].class, "%s", error_text(&err));
        cr_expect(strstr(error_text(&err), cases[i].words), "%s", error_text(&err));
        cr_expect_null(strstr(error_text(&err), HETZNER_ROOT_PASSWORD));
        cloud_api_close(&api);
        hetzner_stop(cloud);
    }
}

Test(cloud, two_hundred_servers_are_listed_whole_in_four_requests_or_not_at_all)
{
    struct hetzner *cloud = hetzner_start(NULL);
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *servers = NULL;
    struct json *none = NULL;
    static const char path[] = "/servers?label_selector=triphase-id%3D%3Dp";
    struct cloud_api *api = client(cloud, 30, &said);
    hetzner_preload(cloud, 200, "{\"triphase-id\": \"p\"}");
    hetzner_preload(cloud, 30, "{\"triphase-id\": \"q\"}");
    cr_assert(cloud_api_list(api, path, "servers", &servers, NULL, &err) == 0, "%s", error_text(&err));
    cr_assert_eq(json_count(servers), 200);
    cr_assert_eq(cloud_api_requests(api), 4);
    hetzner_fault(cloud, "{\"fault\": 404, \"path\": \"page=3\", \"times\": 0}");
    cr_assert(cloud_api_list(api, path, "servers", &none, NULL, &err) < 0);
    cr_assert_null(none);
    cloud_api_close(&api);
    hetzner_stop(cloud);
}
