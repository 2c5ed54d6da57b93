#include "report/path.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

/* The next sample of the step, from `*at` on; NULL behind the last. */
static const struct history_path *next_of(const struct account *account, const struct history_step *step,
                                          size_t *at)
{
    while (*at < account->path_count)
        if (account->paths[(*at)++].step == step->seq)
            return &account->paths[*at - 1];
    return NULL;
}

static char *after(const struct history_step *step, const struct history_path *path)
{
    int64_t ns = path->at_ns - step->started_ns;
    return duration_show(ns > 0 ? ns : 0);
}

/* The words of a sample, the best path first, and what people read. */
static const struct {
    const char *path, *name;
    bool via;
} names[] = {{"direct", "direct", false}, {"peer-relay", "peer relay", true}, {"relay", "DERP", true}};
enum { NO_RANK = -1 };

static int rank_of(const struct history_path *path)
{
    for (size_t i = 0; path->path && text_is(path->daemon, "Running") && i < COUNT_OF(names); i++)
        if (text_is(path->path, names[i].path))
            return (int)i;
    return NO_RANK;
}

/* How a path is called; malloc'ed, NULL: it was not in use. */
static char *name_of(const struct history_path *path)
{
    int rank = rank_of(path);
    if (!path->daemon)
        return xstrdup("no answer of tailscaled");
    if (!text_is(path->daemon, "Running"))
        return xasprintf("tailscaled %s", path->daemon);
    if (!path->path)
        return xstrdup("no such peer");
    if (rank == NO_RANK)
        return NULL;
    const char *via = path->via ? path->via : "?";
    return names[rank].via ? xasprintf("%s(%s)", names[rank].name, via) : xstrdup(names[rank].name);
}

struct told {
    struct words seen;
    const char *last; /* of seen; NULL: nothing yet */
    int rank;
};

static void tell(struct text *out, struct told *told, const char *now, int rank, const char *when)
{
    bool again = words_have(&told->seen, now), fell = told->rank != NO_RANK && rank > told->rank;
    if (told->last)
        text_addf(out, "; %s%s%s at +%s", fell ? "fell back to " : "", now, again && !fell ? " again" : "",
                  when);
    else
        text_add(out, now);
    words_add(&told->seen, now);
    told->last = told->seen.items[told->seen.count - 1];
    told->rank = rank;
}

char *report_path_story(const struct account *account, const struct history_step *step)
{
    struct text out = TEXT_INIT;
    struct told told = {.rank = NO_RANK};
    size_t at = 0;
    bool any = false;
    for (const struct history_path *path; (path = next_of(account, step, &at)); any = true) {
        AUTO_FREE char *now = name_of(path);
        AUTO_FREE char *when = after(step, path);
        if (now && !text_is(told.last, now))
            tell(&out, &told, now, rank_of(path), when);
    }
    if (any && !told.last)
        text_add(&out, "never in use");
    words_clear(&told.seen);
    return any ? text_take(&out) : NULL;
}

void report_path_warnings(const struct account *account, const struct history_step *step, struct words *out)
{
    AUTO_WORDS seen = WORDS_INIT;
    size_t at = 0;
    for (const struct history_path *path; (path = next_of(account, step, &at));)
        for (size_t i = 0; i < path->health.count; i++) {
            const char *warning = path->health.items[i];
            AUTO_FREE char *when = after(step, path);
            if (words_have(&seen, warning))
                continue;
            words_add(&seen, warning);
            words_addf(out, "+%s %s", when, warning);
        }
}

static void set_known(struct json *object, const char *key, int64_t value)
{
    json_set(object, key, value < 0 ? json_new_null() : json_new_integer(value));
}

static struct json *sample_object(const struct history_step *step, const struct history_path *path)
{
    struct json *object = json_new_object(), *health = json_new_array();
    AUTO_FREE char *moment = moment_rfc3339(path->at_ns);
    json_set_string(object, "at", moment);
    json_set_integer(object, "after_ms", (path->at_ns - step->started_ns) / NS_PER_MS);
    json_set_string(object, "path", path->path);
    json_set_string(object, "via", path->via);
    set_known(object, "received", path->received);
    set_known(object, "sent", path->sent);
    json_set_string(object, "daemon", path->daemon);
    for (size_t i = 0; i < path->health.count; i++)
        json_append(health, json_new_string(path->health.items[i]));
    json_set(object, "health", health);
    return object;
}

struct json *report_path_json(const struct account *account, const struct history_step *step)
{
    struct json *list = NULL;
    size_t at = 0;
    for (const struct history_path *path; (path = next_of(account, step, &at));) {
        list = list ? list : json_new_array();
        json_append(list, sample_object(step, path));
    }
    return list;
}
