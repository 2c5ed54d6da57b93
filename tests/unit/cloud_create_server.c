/* One server, made once, wherever there is room for it. */
#include "cloud.h"
#include "cloud/create_server.h"

#include "base/memory.h"
#include "base/moment.h"

#include <criterion/criterion.h>
#include <string.h>

#define NAME    "tp0123456789"
#define MACHINE "01935c7a-0000-7000-8000-000123456789"
#define SERVER(status)                                                                                       \
    "{\"id\":42,\"name\":\"" NAME "\",\"status\":\"" status "\",\"labels\":{\"triphase-machine\":\"" MACHINE \
    "\"}}"
#define MADE                                                                                                 \
    CLOUD_JSON("201 Created")                                                                                \
    "{\"server\":" SERVER("initializing") ",\"action\":{\"id\":1,\"status\":\"running\"},\"next_actions\":[" \
                                          "{\"id\":2,\"status\":"                                            \
                                          "\"running\"}],\"root_password\":\"YItygq1v3GYjjMomLaKc\"}"
#define ENDED            \
    CLOUD_JSON("200 OK") \
    "{\"actions\":[{\"id\":1,\"status\":\"success\"},{\"id\":2,\"status\":\"success\"}]}"
#define SHOWN(status) CLOUD_JSON("200 OK") "{\"server\":" SERVER(status) "}"
#define NO_ROOM       CLOUD_ERROR("412 Precondition Failed", "resource_unavailable", "error during placement")
#define TRAP          CLOUD_ERROR("422 Unprocessable", "invalid_input", "unsupported location for server type")
#define OURS          CLOUD_PAGE("servers", SERVER("running"), "1")
#define NOBODYS       CLOUD_PAGE("servers", "", "0")
#define ANOTHERS      CLOUD_PAGE("servers", "{\"id\":7,\"name\":\"" NAME "\",\"labels\":{}}", "1")
#define TAKEN         CLOUD_ERROR("409 Conflict", "uniqueness_error", "server name is already used")

struct made {
    struct web *web;
    struct text said;
    char *asked;
    struct json *server; /* NULL: it failed */
    enum cloud_class class;
    struct error err;
    int64_t paused_s;
};

static void made_clear(struct made *made)
{
    text_clear(&made->said);
    free(made->asked);
    json_free(made->server);
    error_clear(&made->err);
}
#define AUTO_MADE __attribute__((cleanup(made_clear))) struct made

/* `places`: NULL-ended, NULL: the cloud's choice. */
static struct made create_at(const struct web_answer *answers, size_t count, const char *const *places,
                             const struct cloud_server_type *type, int seconds)
{
    struct made made = {.web = web_start(NULL, answers, count), .class = CLOUD_OTHER, .err = ERROR_INIT};
    AUTO_WORDS locations = WORDS_INIT;
    AUTO_JSON *body = json_new_object();
    struct json *labels = json_new_object();
    struct cloud_api *api = cloud_client(made.web, seconds, &made.said);
    for (; places && *places; places++)
        words_add(&locations, *places);
    json_set_string(labels, CLOUD_MACHINE_LABEL, MACHINE);
    json_set_string(body, "name", NAME);
    json_set_string(body, "server_type", "cx23");
    json_set(body, "labels", labels);
    struct cloud_server_wish wish = {.body = body, .locations = &locations, .type = type};
    int result = cloud_create_server(api, &wish, &made.server, &made.class, &made.err);
    cr_assert_eq(result == 0, made.server != NULL);
    cr_assert_null(json_get(body, "location"), "the wish is left as it was");
    made.asked = cloud_asked(made.web);
    made.paused_s = cloud_api_clock(api)->skipped_ns / NS_PER_S;
    cloud_api_close(&api);
    return made;
}

#define CREATE(answers, ...) \
    create_at(answers, COUNT_OF(answers), (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL}, NULL, 900)

static struct cloud_server_type type_of(const char *const *offered, const char *const *available)
{
    struct cloud_server_type type = {.id = 114, .name = xstrdup("cx23"), .architecture = xstrdup("x86")};
    words_add_list(&type.offered, offered);
    words_add_list(&type.available, available);
    return type;
}

/* Where the POSTs went, in order; malloc'ed. */
static char *places_of(const struct made *made)
{
    AUTO_TEXT out = TEXT_INIT;
    for (size_t i = 0; i < web_count(made->web); i++) {
        const char *body = cloud_sent(made->web, i);
        AUTO_JSON *sent = *body ? json_parse(body, strlen(body), NULL) : NULL;
        if (sent)
            text_addf(&out, "%s%s", out.length ? " " : "", json_get_string(sent, "location", "any"));
    }
    return text_take(&out);
}

Test(cloud_create_server, a_server_is_made_in_the_first_place_and_waited_for_until_it_runs)
{
    static const struct web_answer answers[] = {
        {.bytes = MADE}, {.bytes = ENDED}, {.bytes = SHOWN("starting")}, {.bytes = SHOWN("running")}};
    AUTO_MADE made = CREATE(answers, "fsn1", "nbg1");
    cr_assert_not_null(made.server, "%s", error_text(&made.err));
    cr_assert_eq(made.class, CLOUD_NONE);
    cr_assert_str_eq(json_get_string(made.server, "status", ""), "running");
    cr_assert_str_eq(made.asked,
                     "POST /v1/servers\nGET /v1/actions?id=1&id=2&sort=status&sort=id\nGET /v1/servers/42\n"
                     "GET /v1/servers/42\n");
    cr_assert_str_eq(cloud_sent(made.web, 0),
                     "{\"name\":\"" NAME
                     "\",\"server_type\":\"cx23\",\"labels\":{\"triphase-machine\":\"" MACHINE
                     "\"},\"location\":\"fsn1\"}");
    cr_assert_str_eq(text_string(&made.said), "");
}

Test(cloud_create_server, without_a_place_the_cloud_chooses)
{
    static const struct web_answer answers[] = {{.bytes = MADE},
                                                {.bytes = ENDED},
                                                {.bytes = SHOWN("running")}};
    AUTO_MADE made = CREATE(answers);
    AUTO_FREE char *places = places_of(&made);
    cr_assert_not_null(made.server, "%s", error_text(&made.err));
    cr_assert_str_eq(places, "any");
}

Test(cloud_create_server, without_capacity_the_next_place_is_tried_at_once)
{
    static const struct web_answer answers[] = {
        {.bytes = NO_ROOM}, {.bytes = TRAP}, {.bytes = MADE}, {.bytes = ENDED}, {.bytes = SHOWN("running")}};
    AUTO_MADE made = CREATE(answers, "fsn1", "nbg1", "hel1");
    AUTO_FREE char *places = places_of(&made);
    cr_assert_not_null(made.server, "%s", error_text(&made.err));
    cr_assert_str_eq(places, "fsn1 nbg1 hel1");
    cr_assert_str_eq(text_string(&made.said),
                     "no capacity in fsn1, next nbg1\nno capacity in nbg1, next hel1\n");
    cr_assert_eq(made.paused_s, 0);
}

Test(cloud_create_server, without_capacity_anywhere_all_are_tried_again_after_longer_and_longer_pauses)
{
    static const struct web_answer answers[] = {{.bytes = NO_ROOM}};
    AUTO_MADE made = CREATE(answers, "fsn1", "nbg1");
    cr_assert_null(made.server);
    cr_assert_eq(made.class, CLOUD_CAPACITY);
    cr_assert_eq(made.err.kind, ERROR_PROVIDER);
    cr_assert_eq(made.paused_s, 15 + 30 + 60 + 120, "the next would go beyond 300 s");
    cr_assert_eq(web_count(made.web), 10);
    cr_assert(strstr(text_string(&made.said), "no capacity in fsn1, nbg1: again in 15.0s\n"), "%s",
              text_string(&made.said));
    cr_assert(strstr(error_text(&made.err), "tried 5 times in fsn1, nbg1") &&
                  strstr(error_text(&made.err), "no capacity") &&
                  strstr(error_text(&made.err), "another `server_type`"),
              "%s", error_text(&made.err));
}

Test(cloud_create_server, the_deadline_ends_the_waiting_for_capacity)
{
    static const struct web_answer answers[] = {{.bytes = NO_ROOM}};
    static const char *const places[] = {"fsn1", NULL};
    AUTO_MADE made = create_at(answers, 1, places, NULL, 60);
    cr_assert_eq(made.class, CLOUD_CAPACITY);
    cr_assert_eq(made.paused_s, 15 + 30);
}

Test(cloud_create_server, a_place_that_is_refused_as_unsupported_is_tried_again_like_one_without_room)
{
    static const struct web_answer answers[] = {
        {.bytes = TRAP}, {.bytes = TRAP}, {.bytes = MADE}, {.bytes = ENDED}, {.bytes = SHOWN("running")}};
    AUTO_MADE made = CREATE(answers, "fsn1");
    cr_assert_not_null(made.server, "%s", error_text(&made.err));
    cr_assert_eq(made.paused_s, 15 + 30);
}

Test(cloud_create_server, places_that_are_said_to_be_full_come_last)
{
    static const struct web_answer answers[] = {{.bytes = NO_ROOM},
                                                {.bytes = NO_ROOM},
                                                {.bytes = MADE},
                                                {.bytes = ENDED},
                                                {.bytes = SHOWN("running")}};
    static const char *const places[] = {"fsn1", "nbg1", "hel1", NULL};
    AUTO_CLOUD_SERVER_TYPE type = type_of(places, (const char *const[]){"nbg1", "hel1", NULL});
    AUTO_MADE made = create_at(answers, COUNT_OF(answers), places, &type, 900);
    AUTO_FREE char *tried = places_of(&made);
    cr_assert_not_null(made.server, "%s", error_text(&made.err));
    cr_assert_str_eq(tried, "nbg1 hel1 fsn1");
    cr_assert(strstr(text_string(&made.said), "cx23 is said not to be had in fsn1 now"), "%s",
              text_string(&made.said));
}

Test(cloud_create_server, where_the_type_is_never_sold_is_a_fault_of_the_file_and_not_waited_for)
{
    static const struct web_answer answers[] = {{.bytes = TRAP}};
    static const char *const places[] = {"ash", "hil", NULL};
    AUTO_CLOUD_SERVER_TYPE type =
        type_of((const char *const[]){"fsn1", "nbg1", NULL}, (const char *const[]){"nbg1", NULL});
    AUTO_MADE made = create_at(answers, 1, places, &type, 900);
    cr_assert_eq(made.class, CLOUD_CONFIGURATION);
    cr_assert_eq(made.err.kind, ERROR_PROJECT);
    cr_assert_eq(made.paused_s, 0);
    cr_assert_eq(web_count(made.web), 2);
    cr_assert(strstr(error_text(&made.err), "cx23 is not sold in ash, hil, but in fsn1, nbg1"), "%s",
              error_text(&made.err));
}

Test(cloud_create_server, what_no_other_place_mends_ends_it_at_once)
{
    static const struct {
        const char *answer;
        enum cloud_class class;
    } cases[] = {
        {CLOUD_ERROR("403 Forbidden", "resource_limit_exceeded", "server limit"), CLOUD_QUOTA},
        {CLOUD_ERROR("422 Unprocessable", "invalid_input", "image is unknown"), CLOUD_CONFIGURATION},
        {CLOUD_ERROR("422 Unprocessable", "placement_error", "group is full"), CLOUD_CONFIGURATION},
        {CLOUD_ERROR("401 Unauthorized", "unauthorized", "no"), CLOUD_AUTH},
        {CLOUD_ERROR("403 Forbidden", "forbidden", "no"), CLOUD_AUTH},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct web_answer answers[] = {{.bytes = cases[i].answer}};
        AUTO_MADE made = CREATE(answers, "fsn1", "nbg1");
        cr_expect_null(made.server);
        cr_expect_eq(made.class, cases[i].class, "%s", error_text(&made.err));
        cr_expect_eq(web_count(made.web), 1);
        cr_expect_eq(made.paused_s, 0);
    }
}

Test(cloud_create_server, one_that_was_made_although_the_answer_was_lost_is_taken_and_not_made_twice)
{
    static const struct web_answer lost[] = {
        {.end = WEB_RESET},
        {.bytes = CLOUD_ERROR("504 Timeout", "timeout", "slow")},
        {.bytes = CLOUD_JSON("201 Created") "{\"server\":"},
    };
    for (size_t i = 0; i < COUNT_OF(lost); i++) {
        const struct web_answer answers[] = {lost[i], {.bytes = OURS}, {.bytes = SHOWN("running")}};
        AUTO_MADE made = CREATE(answers, "fsn1", "nbg1");
        cr_expect_not_null(made.server, "%s", error_text(&made.err));
        cr_expect_str_eq(made.asked, "POST /v1/servers\nGET /v1/servers?name=" NAME "&page=1&per_page=50\n"
                                     "GET /v1/servers/42\n");
        cr_expect(strstr(text_string(&made.said), "was made after all"), "%s", text_string(&made.said));
    }
}

Test(cloud_create_server, after_a_lost_answer_it_is_posted_again_only_once_nothing_is_found)
{
    static const struct web_answer answers[] = {{.end = WEB_RESET},
                                                {.bytes = NOBODYS},
                                                {.bytes = MADE},
                                                {.bytes = ENDED},
                                                {.bytes = SHOWN("running")}};
    static const struct web_answer blind[] = {
        {.end = WEB_RESET}, {.bytes = CLOUD_ERROR("401 Unauthorized", "unauthorized", "no")}};
    AUTO_MADE made = CREATE(answers, "fsn1", "nbg1");
    AUTO_FREE char *places = places_of(&made);
    cr_assert_not_null(made.server, "%s", error_text(&made.err));
    cr_assert_str_eq(places, "fsn1 fsn1", "trouble of the API is none of the place's");
    AUTO_MADE other = CREATE(blind, "fsn1");
    cr_assert_eq(other.class, CLOUD_AUTH);
    cr_assert_eq(web_count(other.web), 2, "who cannot look does not post again");
}

Test(cloud_create_server, trouble_that_does_not_pass_is_told_after_ten_tries)
{
    struct web_answer answers[20];
    for (size_t i = 0; i < COUNT_OF(answers); i++)
        answers[i] = (struct web_answer){
            .bytes = i % 2 ? NOBODYS : CLOUD_ERROR("500 Internal", "unknown_error", "ill")};
    AUTO_MADE made = CREATE(answers, "fsn1", "nbg1");
    cr_assert_eq(made.class, CLOUD_TRANSIENT);
    cr_assert_eq(web_count(made.web), 20);
    cr_assert(strstr(error_text(&made.err), "ill"), "%s", error_text(&made.err));
}

Test(cloud_create_server, a_name_that_is_taken_is_ours_where_it_bears_the_machines_label_and_else_anothers)
{
    static const struct web_answer ours[] = {{.bytes = TAKEN}, {.bytes = OURS}, {.bytes = SHOWN("running")}};
    static const struct web_answer anothers[] = {{.bytes = TAKEN}, {.bytes = ANOTHERS}};
    static const struct web_answer lost[] = {{.end = WEB_RESET}, {.bytes = ANOTHERS}};
    static const struct web_answer elsewhere[] = {{.bytes = TAKEN}, {.bytes = NOBODYS}};
    AUTO_MADE made = CREATE(ours, "fsn1");
    cr_assert_not_null(made.server, "%s", error_text(&made.err));
    AUTO_MADE first = CREATE(anothers, "fsn1");
    cr_assert_eq(first.class, CLOUD_CONFIGURATION);
    cr_assert_eq(first.err.kind, ERROR_PROJECT);
    cr_assert(strstr(error_text(&first.err), "a server " NAME " already (7), and it is not this machine's"),
              "%s", error_text(&first.err));
    AUTO_MADE second = CREATE(lost, "fsn1");
    cr_assert_eq(second.class, CLOUD_CONFIGURATION);
    AUTO_MADE third = CREATE(elsewhere, "fsn1");
    cr_assert_eq(third.class, CLOUD_NOT_UNIQUE);
    cr_assert_eq(web_count(third.web), 2);
}

Test(cloud_create_server, one_for_which_there_was_no_room_after_all_is_removed_before_the_next_place)
{
    static const struct web_answer answers[] = {
        {.bytes = MADE},
        {.bytes = CLOUD_JSON(
             "200 OK") "{\"actions\":[{\"id\":1,\"status\":\"error\",\"command\":\"create_server\","
                       "\"error\":{\"code\":\"resource_unavailable\",\"message\":\"no room\"}},"
                       "{\"id\":2,\"status\":\"running\"}]}"},
        {.bytes = CLOUD_JSON("200 OK") "{\"action\":{\"id\":3,\"status\":\"success\"}}"},
        {.bytes = MADE},
        {.bytes = ENDED},
        {.bytes = SHOWN("running")}};
    AUTO_MADE made = CREATE(answers, "fsn1", "nbg1");
    AUTO_FREE char *places = places_of(&made);
    cr_assert_not_null(made.server, "%s", error_text(&made.err));
    cr_assert_str_eq(places, "fsn1 nbg1");
    cr_assert(strstr(made.asked, "DELETE /v1/servers/42\nPOST /v1/servers\n"), "%s", made.asked);
}

Test(cloud_create_server, one_whose_action_fails_is_told_and_left_for_who_knows_of_it)
{
    static const struct web_answer answers[] = {
        {.bytes = MADE},
        {.bytes = CLOUD_JSON("200 OK") "{\"actions\":[{\"id\":1,\"status\":\"success\"},{\"id\":2,\"status\":"
                                       "\"error\",\"command\":\"start_server\",\"error\":{\"code\":"
                                       "\"action_failed\",\"message\":\"Action failed\"}}]}"}};
    AUTO_MADE made = CREATE(answers, "fsn1", "nbg1");
    cr_assert_null(made.server);
    cr_assert_eq(made.class, CLOUD_OTHER);
    cr_assert(strstr(error_text(&made.err), "action start_server failed"), "%s", error_text(&made.err));
    cr_assert_null(strstr(made.asked, "DELETE"));
}

Test(cloud_create_server, one_that_never_runs_is_told_by_the_deadline)
{
    static const struct web_answer answers[] = {{.bytes = MADE}, {.bytes = ENDED}, {.bytes = SHOWN("off")}};
    static const char *const places[] = {"fsn1", NULL};
    AUTO_MADE made = create_at(answers, COUNT_OF(answers), places, NULL, 20);
    cr_assert_null(made.server);
    cr_assert_eq(made.class, CLOUD_TRANSIENT);
    cr_assert(strstr(error_text(&made.err), "it is off, not running"), "%s", error_text(&made.err));
}

Test(cloud_create_server, a_root_password_is_nowhere)
{
    static const struct web_answer good[] = {{.bytes = MADE}, {.bytes = ENDED}, {.bytes = SHOWN("running")}};
    static const struct web_answer bad[] = {{.bytes = MADE}, {.bytes = CLOUD_JSON("200 OK") "{}"}};
    AUTO_MADE made = CREATE(good, "fsn1"), failed = CREATE(bad, "fsn1");
    AUTO_FREE char *server = json_compact(made.server);
    cr_assert_null(strstr(server, "YItygq1v3GYjjMomLaKc"));
    cr_assert_null(strstr(text_string(&made.said), "YItygq1v3GYjjMomLaKc"));
    cr_assert_null(strstr(error_text(&failed.err), "YItygq1v3GYjjMomLaKc"));
}
