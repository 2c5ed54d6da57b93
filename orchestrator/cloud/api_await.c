/* Actions: what the cloud does after it has answered. */
#include "cloud/api.h"

#include "base/memory.h"
#include "base/text.h"

enum { IDS_MOST = 25, ACTIONS_MOST = 1000 };

struct waiting {
    int64_t *ids;
    size_t count;
};

static int action_failed(const struct json *action, enum cloud_class *class, struct error *err)
{
    const struct json *error = json_get(action, "error");
    const char *code = json_get_string(error, "code", NULL);
    AUTO_FREE char *words = text_shown(json_get_string(error, "message", "it does not say why"));
    AUTO_FREE char *name = text_shown(json_get_string(action, "command", "unknown"));
    AUTO_FREE char *shown = text_shown(code ? code : "");
    AUTO_FREE char *doing = xasprintf("the cloud's action %s failed", name);
    struct cloud_failure failure = cloud_failure_judge(0, code, words);
    return cloud_api_fail(&failure, doing, 0, code ? shown : NULL, words, class, err);
}

/* 1 where it goes on, 0 where it has ended well. */
static int look_at(const struct json *action, enum cloud_class *class, struct error *err)
{
    const char *status = json_get_string(action, "status", "");
    if (text_is(status, "error"))
        return action_failed(action, class, err);
    return !text_is(status, "success");
}

static int collect(const struct json *action, struct waiting *waiting, enum cloud_class *class,
                   struct error *err)
{
    int goes_on = json_is_object(action) ? look_at(action, class, err) : 0;
    if (goes_on > 0) {
        waiting->ids = xreallocarray(waiting->ids, waiting->count + 1, sizeof *waiting->ids);
        waiting->ids[waiting->count++] = json_get_integer(action, "id", 0);
    }
    return goes_on;
}

static int collect_all(const struct json *reply, struct waiting *waiting, enum cloud_class *class,
                       struct error *err)
{
    static const char *const lists[] = {"actions", "next_actions"};
    if (collect(json_get(reply, "action"), waiting, class, err) < 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        const struct json *list = json_get(reply, lists[i]);
        if (json_is_array(list) && json_count(list) > ACTIONS_MOST) {
            struct cloud_failure failure = cloud_failure_of(CLOUD_OTHER);
            return cloud_api_fail(&failure, "its answer", 0, NULL, "no request has so many actions", class,
                                  err);
        }
        for (size_t at = 0; json_is_array(list) && at < json_count(list); at++)
            if (collect(json_at(list, at), waiting, class, err) < 0)
                return -1;
    }
    return 0;
}

static const struct json *action_of(const struct json *actions, int64_t id)
{
    for (size_t i = 0; json_is_array(actions) && i < json_count(actions); i++)
        if (json_get_integer(json_at(actions, i), "id", -1) == id)
            return json_at(actions, i);
    return NULL;
}

static int unknown(int64_t id, enum cloud_class *class, struct error *err)
{
    struct cloud_failure failure = cloud_failure_of(CLOUD_OTHER);
    AUTO_FREE char *words = xasprintf("it does not know its own action %lld", (long long)id);
    failure.next = "whether it was done is not known: look at the cloud";
    return cloud_api_fail(&failure, "GET /actions", 0, NULL, words, class, err);
}

/* Asks for those of `waiting` from `first`, and keeps in `left` what goes on. */
static int ask_for(struct cloud_api *api, const struct waiting *waiting, size_t first, struct waiting *left,
                   enum cloud_class *class, struct error *err)
{
    size_t end = first + IDS_MOST < waiting->count ? first + IDS_MOST : waiting->count;
    AUTO_TEXT path = TEXT_INIT;
    AUTO_JSON *said = NULL;
    text_add(&path, "/actions?");
    for (size_t i = first; i < end; i++)
        text_addf(&path, "id=%lld&", (long long)waiting->ids[i]);
    text_add(&path, "sort=status&sort=id");
    if (cloud_api_get(api, text_string(&path), &said, class, err) < 0)
        return -1;
    for (size_t i = first; i < end; i++) {
        const struct json *action = action_of(json_get(said, "actions"), waiting->ids[i]);
        int goes_on = action ? look_at(action, class, err) : unknown(waiting->ids[i], class, err);
        if (goes_on < 0)
            return -1;
        if (goes_on)
            left->ids[left->count++] = waiting->ids[i];
    }
    return 0;
}

static int poll_all(struct cloud_api *api, struct waiting *waiting, enum cloud_class *class,
                    struct error *err)
{
    for (int looks = 0; waiting->count; looks++) {
        /* What goes on moves to the front of the same list: it never gets ahead of what is read. */
        struct waiting left = {waiting->ids, 0};
        if (!cloud_clock_pause(cloud_api_clock(api), cloud_clock_poll(looks))) {
            struct cloud_failure failure = cloud_failure_of(CLOUD_TRANSIENT);
            return cloud_api_fail(&failure, "GET /actions", 0, NULL,
                                  "its actions go on still, and the time is up", class, err);
        }
        for (size_t first = 0; first < waiting->count; first += IDS_MOST)
            if (ask_for(api, waiting, first, &left, class, err) < 0)
                return -1;
        waiting->count = left.count;
    }
    if (class)
        *class = CLOUD_NONE;
    return 0;
}

int cloud_api_await(struct cloud_api *api, const struct json *reply, enum cloud_class *class,
                    struct error *err)
{
    struct waiting waiting = {NULL, 0};
    int result = collect_all(reply, &waiting, class, err) < 0 ? -1 : poll_all(api, &waiting, class, err);
    free(waiting.ids);
    return result;
}
