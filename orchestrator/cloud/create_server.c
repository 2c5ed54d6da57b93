#include "cloud/create_server.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "net/http_word.h"

enum { FIRST_PAUSE_S = 15, LONGEST_PAUSE_S = 120, ROUNDS_MOST = 10, WAIT_MOST_S = 300, TRIES_MOST = 10 };

struct creation {
    struct cloud_api *api;
    const struct cloud_server_wish *wish;
    const char *name, *machine;
    struct words places; /* in the order of trying; one empty word: the cloud's choice */
    bool sold_somewhere; /* in one of them */
    enum cloud_class class;
    struct error why;
};

static int failed(struct creation *creation, enum cloud_class *class, struct error *err)
{
    if (class)
        *class = creation->class;
    return error_move(err, &creation->why);
}

/* ------------------------------------------------------------ where */
static void add_places(struct creation *creation)
{
    const struct cloud_server_wish *wish = creation->wish;
    bool known = wish->type && wish->type->offered.count;
    creation->sold_somewhere = !known || !wish->locations->count;
    for (int last = 0; last < 2; last++)
        for (size_t i = 0; i < wish->locations->count; i++) {
            const char *place = wish->locations->items[i];
            bool there = !known || words_have(&wish->type->available, place);
            bool sold = known && words_have(&wish->type->offered, place);
            creation->sold_somewhere |= sold;
            if (there != last)
                words_add(&creation->places, place);
            if (!there && !last)
                cloud_api_say(creation->api, "%s is said not to be %s in %s%s: tried last", wish->type->name,
                              sold ? "had" : "sold", place, sold ? " now" : "");
        }
    if (!creation->places.count)
        words_add(&creation->places, "");
}

static const char *shown_place(const char *place)
{
    return *place ? place : "any place";
}

/* ------------------------------------------------------------ what may be there already */
/* *server NULL: there is none of that name. */
static int find_server(struct cloud_api *api, const char *name, struct json **server, enum cloud_class *class,
                       struct error *err)
{
    AUTO_JSON *servers = NULL;
    AUTO_FREE char *word = http_word(name);
    AUTO_FREE char *path = xasprintf("/servers?name=%s", word);
    if (cloud_api_list(api, path, "servers", &servers, class, err) < 0)
        return -1;
    struct json *found = NULL;
    for (size_t i = 0; i < json_count(servers) && !found; i++)
        if (text_is(json_get_string(json_at(servers, i), "name", ""), name))
            found = json_at(servers, i);
    *server = found ? json_keep(found) : NULL;
    return 0;
}

static int is_anothers(struct creation *creation, const struct json *server)
{
    AUTO_FREE char *name = text_shown(creation->name);
    creation->class = CLOUD_CONFIGURATION;
    return error_set(
        &creation->why, ERROR_PROJECT,
        "the cloud's project has a server %s already (%lld), and it is not this machine's: remove or"
        " rename it",
        name, (long long)json_get_integer(server, "id", 0));
}

/* 1 with the server where ours is there, 0 where none of that name is. */
static int look_for_ours(struct creation *creation, struct json **server)
{
    AUTO_JSON *found = NULL;
    AUTO_ERROR why = ERROR_INIT;
    enum cloud_class class;
    if (find_server(creation->api, creation->name, &found, &class, &why) < 0) {
        creation->class = class;
        return error_move(&creation->why, &why);
    }
    if (!found)
        return 0;
    if (!text_is(json_get_string(json_get(found, "labels"), CLOUD_MACHINE_LABEL, NULL), creation->machine))
        return is_anothers(creation, found);
    cloud_api_say(creation->api, "the server %s was made after all", creation->name);
    *server = TAKE(found);
    return 1;
}

/* ------------------------------------------------------------ one place */
static struct json *body_for(const struct creation *creation, const char *place)
{
    struct json *body = json_new_object();
    struct json *value;
    const char *key;
    for (void *at = NULL; json_each(creation->wish->body, &at, &key, &value);)
        json_set(body, key, json_keep(value));
    if (*place)
        json_set_string(body, "location", place);
    return body;
}

/* 1 made, with what the cloud answered; 0 not, and the class says why; -1 not, and it is not to go on. */
static int post(struct creation *creation, const char *place, struct json **reply)
{
    AUTO_JSON *body = body_for(creation, place);
    struct json *server = NULL;
    error_clear(&creation->why);
    if (cloud_api_post(creation->api, "/servers", body, reply, &creation->class, &creation->why) == 0)
        return 1;
    if (creation->class == CLOUD_CAPACITY)
        return 0;
    if (creation->class != CLOUD_TRANSIENT && creation->class != CLOUD_NOT_UNIQUE)
        return -1;
    AUTO_ERROR why = ERROR_INIT;
    enum cloud_class class = creation->class;
    error_move(&why, &creation->why);
    int found = look_for_ours(creation, &server);
    if (found < 0)
        return -1;
    if (found) {
        *reply = json_new_object();
        json_set(*reply, "server", server);
        return 1;
    }
    creation->class = class;
    error_move(&creation->why, &why);
    return class == CLOUD_TRANSIENT ? 0 : -1;
}

/* The same, over trouble that passes: after a look that found nothing it is posted again. */
static int post_patiently(struct creation *creation, const char *place, struct json **reply)
{
    for (int tries = 1;; tries++) {
        int made = post(creation, place, reply);
        if (made != 0 || creation->class != CLOUD_TRANSIENT)
            return made;
        int64_t pause = cloud_clock_backoff(tries - 1);
        AUTO_FREE char *shown = duration_show(pause);
        if (tries == TRIES_MOST || !cloud_clock_has(cloud_api_clock(creation->api), pause))
            return -1;
        cloud_api_say(creation->api, "the server was not made (%s): again in %s",
                      cloud_class_facts(creation->class)->means, shown);
        cloud_clock_pause(cloud_api_clock(creation->api), pause);
    }
}

/* ------------------------------------------------------------ until it runs */
static int remove_half(struct creation *creation, int64_t id)
{
    AUTO_FREE char *path = xasprintf("/servers/%lld", (long long)id);
    AUTO_JSON *said = NULL;
    AUTO_ERROR why = ERROR_INIT;
    if (cloud_api_delete(creation->api, path, &said, NULL, &why) == 0 &&
        cloud_api_await(creation->api, said, NULL, &why) == 0)
        return 0;
    return error_set(&creation->why, ERROR_PROVIDER,
                     "there was no capacity for the server %lld after all, and"
                     " it could not be removed: %s",
                     (long long)id, error_text(&why));
}

static int wait_until_running(struct creation *creation, int64_t id, struct json **server)
{
    AUTO_FREE char *path = xasprintf("/servers/%lld", (long long)id);
    for (int looks = 0;; looks++) {
        AUTO_JSON *said = NULL;
        if (cloud_api_get(creation->api, path, &said, &creation->class, &creation->why) < 0)
            return -1;
        struct json *now = json_get(said, "server");
        if (text_is(json_get_string(now, "status", ""), "running")) {
            *server = json_keep(now);
            return 1;
        }
        if (!cloud_clock_pause(cloud_api_clock(creation->api), cloud_clock_poll(looks))) {
            AUTO_FREE char *status = text_shown(json_get_string(now, "status", "unknown"));
            struct cloud_failure failure = cloud_failure_of(CLOUD_TRANSIENT);
            AUTO_FREE char *words = xasprintf("it is %s, not running, and the time is up", status);
            return cloud_api_fail(&failure, path, 0, NULL, words, &creation->class, &creation->why);
        }
    }
}

/* 1 running; 0 no capacity after all, and it is gone again; -1 failed. */
static int see_it_through(struct creation *creation, const struct json *reply, struct json **server)
{
    int64_t id = json_get_integer(json_get(reply, "server"), "id", 0);
    if (id <= 0) {
        struct cloud_failure failure = cloud_failure_of(CLOUD_OTHER);
        return cloud_api_fail(&failure, "POST /servers", 0, NULL, "its answer has no server",
                              &creation->class, &creation->why);
    }
    error_clear(&creation->why);
    if (cloud_api_await(creation->api, reply, &creation->class, &creation->why) == 0)
        return wait_until_running(creation, id, server);
    return creation->class == CLOUD_CAPACITY ? remove_half(creation, id) : -1;
}

/* ------------------------------------------------------------ all places, again and again */
static int try_round(struct creation *creation, struct json **server)
{
    for (size_t i = 0; i < creation->places.count; i++) {
        AUTO_JSON *reply = NULL;
        const char *place = creation->places.items[i];
        int made = post_patiently(creation, place, &reply);
        if (made > 0)
            made = see_it_through(creation, reply, server);
        if (made != 0)
            return made;
        if (i + 1 < creation->places.count)
            cloud_api_say(creation->api, "no capacity in %s, next %s", shown_place(place),
                          creation->places.items[i + 1]);
    }
    return 0;
}

static int never_sold(struct creation *creation)
{
    AUTO_FREE char *places = words_join(&creation->wish->type->offered, ", ");
    AUTO_FREE char *asked = words_join(creation->wish->locations, ", ");
    creation->class = CLOUD_CONFIGURATION;
    return error_set(&creation->why, ERROR_PROJECT,
                     "the server type %s is not sold in %s, but in %s: see `location` and `server_type` in"
                     " triphase.yml",
                     creation->wish->type->name, asked, places);
}

static int go_round(struct creation *creation, struct json **server)
{
    struct cloud_clock *clock = cloud_api_clock(creation->api);
    AUTO_FREE char *places = words_join(&creation->places, ", ");
    int64_t since = cloud_clock_now(clock), pause = FIRST_PAUSE_S * NS_PER_S;
    for (int round = 1;; round++) {
        int made = try_round(creation, server);
        if (made != 0)
            return made;
        if (!creation->sold_somewhere)
            return never_sold(creation);
        if (round == ROUNDS_MOST || cloud_clock_now(clock) + pause - since > WAIT_MOST_S * NS_PER_S ||
            !cloud_clock_has(clock, pause))
            return error_prefix(&creation->why, "tried %d times in %s", round, shown_place(places));
        AUTO_FREE char *shown = duration_show(pause);
        cloud_api_say(creation->api, "no capacity in %s: again in %s", shown_place(places), shown);
        cloud_clock_pause(clock, pause);
        pause = pause * 2 < LONGEST_PAUSE_S * NS_PER_S ? pause * 2 : LONGEST_PAUSE_S * NS_PER_S;
    }
}

int cloud_create_server(struct cloud_api *api, const struct cloud_server_wish *wish, struct json **server,
                        enum cloud_class *class, struct error *err)
{
    struct creation creation = {.api = api,
                                .wish = wish,
                                .name = json_get_string(wish->body, "name", ""),
                                .machine =
                                    json_get_string(json_get(wish->body, "labels"), CLOUD_MACHINE_LABEL, ""),
                                .why = ERROR_INIT};
    add_places(&creation);
    int made = go_round(&creation, server);
    words_clear(&creation.places);
    if (made < 0)
        return failed(&creation, class, err);
    error_clear(&creation.why);
    if (class)
        *class = CLOUD_NONE;
    return 0;
}
