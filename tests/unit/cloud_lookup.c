/* What a file calls by name, as the cloud knows it. */
#include "cloud.h"
#include "cloud/lookup.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <string.h>

#define ITEM(id, name) "{\"id\":" id ",\"name\":\"" name "\"}"
#define NOTHING        CLOUD_ERROR("404 Not Found", "not_found", "not found")
#define CX23                                                                                    \
    "{\"id\":114,\"name\":\"cx23\",\"architecture\":\"x86\",\"locations\":[{\"name\":\"fsn1\"," \
    "\"available\":"                                                                            \
    "false},{\"name\":\"nbg1\",\"available\":true}]}"
#define OLD                                                                                \
    "{\"id\":7,\"name\":\"cx11\",\"architecture\":\"x86\",\"deprecation\":{\"announced\":" \
    "\"2026-01-01T00:00:00Z\",\"unavailable_after\":\"2026-12-31T00:00:00Z\"}}"
#define DOCKER                                                                                               \
    "{\"id\":40093247,\"name\":\"docker-ce\",\"type\":\"app\",\"architecture\":\"x86\",\"deprecated\":null," \
    "\"deprecation\":null}"

struct asking {
    struct web *web;
    struct cloud_api *api;
    struct text said;
    struct error err;
    enum cloud_class class;
};

static struct asking ask(const struct web_answer *answers, size_t count)
{
    struct asking asking = {.web = web_start(NULL, answers, count), .err = ERROR_INIT, .class = CLOUD_OTHER};
    asking.api = cloud_client(asking.web, 600, NULL);
    return asking;
}

static void asking_clear(struct asking *asking)
{
    cloud_api_close(&asking->api);
    error_clear(&asking->err);
}
#define AUTO_ASKING __attribute__((cleanup(asking_clear))) struct asking

Test(cloud_lookup, a_name_takes_one_request_and_an_id_too)
{
    static const struct web_answer by_name[] = {{.bytes = CLOUD_PAGE("firewalls", ITEM("5", "web"), "1")}};
    static const struct web_answer by_id[] = {
        {.bytes = CLOUD_JSON("200 OK") "{\"firewall\":" ITEM("5", "web") "}"}};
    int64_t id = 0;
    AUTO_ASKING first = ask(by_name, 1), second = ask(by_id, 1);
    cr_assert(cloud_lookup(first.api, CLOUD_FIREWALL, "web", &id, &first.class, &first.err) == 0, "%s",
              error_text(&first.err));
    cr_assert_eq(id, 5);
    cr_assert(cloud_lookup(second.api, CLOUD_FIREWALL, "5", &id, &second.class, &second.err) == 0, "%s",
              error_text(&second.err));
    cr_assert_eq(id, 5);
    AUTO_FREE char *asked = cloud_asked(first.web), *other = cloud_asked(second.web);
    cr_assert_str_eq(asked, "GET /v1/firewalls?name=web&page=1&per_page=50\n");
    cr_assert_str_eq(other, "GET /v1/firewalls/5\n");
}

Test(cloud_lookup, a_name_of_digits_alone_is_found_where_no_such_id_is)
{
    static const struct web_answer answers[] = {{.bytes = NOTHING},
                                                {.bytes = CLOUD_PAGE("ssh_keys", ITEM("9", "2026"), "1")}};
    int64_t id = 0;
    AUTO_ASKING asking = ask(answers, 2);
    cr_assert(cloud_lookup(asking.api, CLOUD_SSH_KEY, "2026", &id, &asking.class, &asking.err) == 0, "%s",
              error_text(&asking.err));
    cr_assert_eq(id, 9);
}

Test(cloud_lookup, several_take_one_request_and_keep_their_order)
{
    static const struct web_answer answers[] = {
        {.bytes = CLOUD_PAGE("networks", ITEM("1", "a") "," ITEM("2", "b") "," ITEM("3", "2"), "3")}};
    AUTO_WORDS names = WORDS_INIT, none = WORDS_INIT;
    AUTO_JSON *ids = NULL, *empty = NULL;
    AUTO_ASKING asking = ask(answers, 1);
    words_add_all(&names, "b", "1", "2", NULL);
    cr_assert(cloud_lookup_all(asking.api, CLOUD_NETWORK, &names, &ids, &asking.class, &asking.err) == 0,
              "%s", error_text(&asking.err));
    AUTO_FREE char *found = json_compact(ids);
    cr_assert_str_eq(found, "[2,1,2]", "an id goes before a name");
    cr_assert(cloud_lookup_all(asking.api, CLOUD_NETWORK, &none, &empty, &asking.class, &asking.err) == 0);
    cr_assert_eq(json_count(empty), 0);
    cr_assert_eq(web_count(asking.web), 1);
}

Test(cloud_lookup, what_is_not_there_is_a_fault_of_the_file_with_the_nearest_and_the_key)
{
    static const struct web_answer answers[] = {
        {.bytes = CLOUD_PAGE("placement_groups", "", "0")},
        {.bytes = CLOUD_PAGE("placement_groups", ITEM("1", "spread-web") "," ITEM("2", "other"), "2")}};
    int64_t id = 0;
    AUTO_ASKING asking = ask(answers, 2);
    cr_assert(cloud_lookup(asking.api, CLOUD_PLACEMENT_GROUP, "spread-wbe", &id, &asking.class, &asking.err) <
              0);
    cr_assert_eq(asking.class, CLOUD_CONFIGURATION);
    cr_assert_eq(asking.err.kind, ERROR_PROJECT);
    cr_assert(strstr(error_text(&asking.err), "no placement group 'spread-wbe'") &&
                  strstr(error_text(&asking.err), "did you mean 'spread-web'?") &&
                  strstr(error_text(&asking.err), "`placement_group` in triphase.yml"),
              "%s", error_text(&asking.err));
}

Test(cloud_lookup, one_of_several_that_is_not_there_is_told_without_another_request)
{
    static const struct web_answer answers[] = {
        {.bytes = CLOUD_PAGE("ssh_keys", ITEM("1", "anna") "," ITEM("2", "bert"), "2")}};
    AUTO_WORDS names = WORDS_INIT;
    struct json *ids = NULL;
    AUTO_ASKING asking = ask(answers, 1);
    words_add_all(&names, "anna", "brt", NULL);
    cr_assert(cloud_lookup_all(asking.api, CLOUD_SSH_KEY, &names, &ids, &asking.class, &asking.err) < 0);
    cr_assert_null(ids);
    cr_assert(strstr(error_text(&asking.err), "no ssh key 'brt'; did you mean 'bert'?"), "%s",
              error_text(&asking.err));
    cr_assert_eq(web_count(asking.web), 1);
}

Test(cloud_lookup, a_failure_of_the_api_is_not_taken_for_absence)
{
    static const struct web_answer answers[] = {
        {.bytes = CLOUD_ERROR("401 Unauthorized", "unauthorized", "no")}};
    static const char *const names[] = {"web", "5"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        int64_t id = 0;
        AUTO_ASKING asking = ask(answers, 1);
        cr_expect(cloud_lookup(asking.api, CLOUD_FIREWALL, names[i], &id, &asking.class, &asking.err) < 0);
        cr_expect_eq(asking.class, CLOUD_AUTH, "%s", error_text(&asking.err));
        cr_expect_eq(web_count(asking.web), 1);
    }
}

Test(cloud_lookup, a_server_type_has_its_architecture_and_where_it_can_be_had)
{
    static const struct web_answer answers[] = {{.bytes = CLOUD_PAGE("server_types", CX23, "1")}};
    AUTO_CLOUD_SERVER_TYPE type = {0};
    AUTO_ASKING asking = ask(answers, 1);
    cr_assert(cloud_lookup_server_type(asking.api, "cx23", &type, &asking.class, &asking.err) == 0, "%s",
              error_text(&asking.err));
    AUTO_FREE char *offered = words_join(&type.offered, " "), *available = words_join(&type.available, " ");
    cr_assert_eq(type.id, 114);
    cr_assert_str_eq(type.architecture, "x86");
    cr_assert_str_eq(offered, "fsn1 nbg1");
    cr_assert_str_eq(available, "nbg1");
    cr_assert_null(type.warning);
    cr_assert_eq(web_count(asking.web), 1);
}

Test(cloud_lookup, what_is_to_go_is_taken_with_a_warning)
{
    static const struct web_answer types[] = {{.bytes = CLOUD_PAGE("server_types", OLD, "1")}};
    static const struct web_answer images[] = {
        {.bytes = CLOUD_PAGE("images",
                             "{\"id\":3,\"name\":\"debian-10\",\"type\":\"system\",\"architecture\":\"x86\","
                             "\"deprecated\":\"2024-07-01T00:00:00Z\"}",
                             "1")}};
    AUTO_CLOUD_SERVER_TYPE type = {0};
    AUTO_CLOUD_IMAGE image = {0};
    AUTO_ASKING first = ask(types, 1), second = ask(images, 1);
    cr_assert(cloud_lookup_server_type(first.api, "cx11", &type, &first.class, &first.err) == 0);
    cr_assert_str_eq(
        type.warning,
        "the server type 'cx11' is deprecated since 2026-01-01T00:00:00Z, and not to be had after"
        " 2026-12-31T00:00:00Z: choose another one");
    cr_assert(cloud_lookup_image(second.api, "debian-10", "x86", &image, &second.class, &second.err) == 0);
    cr_assert_str_eq(image.warning,
                     "the image 'debian-10' is deprecated since 2024-07-01T00:00:00Z: choose another one");
}

Test(cloud_lookup, a_server_type_that_goes_from_every_place_is_to_go)
{
#define PLACE(name, deprecation) "{\"name\":\"" name "\",\"available\":true,\"deprecation\":" deprecation "}"
#define GOES                     "{\"announced\":\"2026-01-01T00:00:00Z\",\"unavailable_after\":null}"
    static const struct {
        const char *answer;
        bool goes;
    } cases[] = {
        {CLOUD_PAGE("server_types",
                    "{\"id\":7,\"name\":\"cx22\",\"locations\":[" PLACE("fsn1", GOES) "," PLACE("nbg1",
                                                                                                "null") "]}",
                    "1"),
         false},
        {CLOUD_PAGE("server_types",
                    "{\"id\":7,\"name\":\"cx22\",\"locations\":[" PLACE("fsn1", GOES) "," PLACE("nbg1",
                                                                                                GOES) "]}",
                    "1"),
         true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct web_answer answers[] = {{.bytes = cases[i].answer}};
        AUTO_CLOUD_SERVER_TYPE type = {0};
        AUTO_ASKING asking = ask(answers, 1);
        cr_assert(cloud_lookup_server_type(asking.api, "cx22", &type, &asking.class, &asking.err) == 0, "%s",
                  error_text(&asking.err));
        cr_expect_eq(type.warning != NULL, cases[i].goes, "%s", type.warning);
    }
}

Test(cloud_lookup, an_image_is_that_of_the_architecture)
{
    static const struct web_answer answers[] = {{.bytes = CLOUD_PAGE("images", DOCKER, "1")}};
    AUTO_CLOUD_IMAGE image = {0};
    AUTO_ASKING asking = ask(answers, 1);
    cr_assert(cloud_lookup_image(asking.api, "docker-ce", "x86", &image, &asking.class, &asking.err) == 0,
              "%s", error_text(&asking.err));
    cr_assert_eq(image.id, 40093247);
    cr_assert_str_eq(image.type, "app");
    cr_assert_null(image.warning);
    AUTO_FREE char *asked = cloud_asked(asking.web);
    cr_assert_str_eq(
        asked, "GET /v1/images?architecture=x86&include_deprecated=true&name=docker-ce&page=1&per_page=50\n");
}

Test(cloud_lookup, an_image_of_another_architecture_or_none_is_told)
{
    static const struct web_answer other[] = {{.bytes = CLOUD_JSON("200 OK") "{\"image\":" DOCKER "}"}};
    static const struct web_answer none[] = {{.bytes = CLOUD_PAGE("images", "", "0")},
                                             {.bytes = CLOUD_PAGE("images", DOCKER, "1")}};
    AUTO_CLOUD_IMAGE image = {0};
    AUTO_ASKING first = ask(other, 1), second = ask(none, 2);
    cr_assert(cloud_lookup_image(first.api, "40093247", "arm", &image, &first.class, &first.err) < 0);
    cr_assert(strstr(error_text(&first.err), "is for x86, and the server type is arm"), "%s",
              error_text(&first.err));
    cr_assert(cloud_lookup_image(second.api, "docker-cee", "x86", &image, &second.class, &second.err) < 0);
    cr_assert(strstr(error_text(&second.err),
                     "no image 'docker-cee' for the architecture x86; did you mean 'docker-ce'?"),
              "%s", error_text(&second.err));
    cr_assert_eq(second.err.kind, ERROR_PROJECT);
}
