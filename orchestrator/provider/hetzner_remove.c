#include "provider/hetzner_remove.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "cloud/create_server.h"
#include "event/step_log.h"
#include "provider/due.h"
#include "provider/hetzner_order.h"

#include <inttypes.h>

struct removing {
    struct cloud_api *api;
    const struct hetzner_removal *of;
    bool found, found_server;
};

static int64_t id_of(const struct json *thing)
{
    return json_get_integer(thing, "id", 0);
}

/* By its id, where it is not among them. */
static int add_by_id(struct removing *removing, enum hetzner_kind kind, struct json *things,
                     struct error *err)
{
    int64_t id = removing->of->ids[kind];
    AUTO_JSON *said = NULL;
    AUTO_ERROR why = ERROR_INIT;
    enum cloud_class class = CLOUD_NONE;
    for (size_t i = 0; i < json_count(things); i++)
        if (id_of(json_at(things, i)) == id)
            return 0;
    AUTO_FREE char *path = xasprintf("/%s/%" PRId64, hetzner_kind_path(kind), id);
    if (!id)
        return 0;
    if (cloud_api_get(removing->api, path, &said, &class, &why) < 0)
        return class == CLOUD_ABSENT ? 0 : error_move(err, &why);
    json_append(things, json_keep(json_get(said, hetzner_kind_member(kind))));
    return 0;
}

/* It may have been put off since it was listed. What belongs to a server goes with it, whatever itself says:
 * only the server's label is put anew. */
static int check_time(const struct removing *removing, enum hetzner_kind kind, const struct json *thing,
                      const char *what, struct error *err)
{
    int64_t expires = hetzner_expiry(thing), ahead,
            now = due_now(cloud_api_now_ns(removing->api), moment_wall(), &ahead);
    if (kind != HETZNER_SERVER && removing->found_server)
        return 0;
    if (expires && expires <= now)
        return 0;
    AUTO_FREE char *when = due_expiry(expires, now);
    return error_set(err, ERROR_PROVIDER, "%s %s by what its label says now: left alone", what, when);
}

static int check_whose(const struct removing *removing, enum hetzner_kind kind, const struct json *thing,
                       struct error *err)
{
    const struct hetzner_removal *of = removing->of;
    const char *whose = hetzner_label(thing, HETZNER_ID_LABEL),
               *machine = hetzner_label(thing, CLOUD_MACHINE_LABEL);
    AUTO_FREE char *what = hetzner_what(kind, thing);
    if (whose ? of->project_id && !text_is(whose, of->project_id) : of->listed) {
        AUTO_FREE char *shown = text_shown(whose ? whose : "it does not say whose");
        return error_set(err, ERROR_PROVIDER, "%s is another project's (%s): left alone", what, shown);
    }
    if (machine ? !text_is(machine, of->machine) : of->listed)
        return error_set(err, ERROR_PROVIDER, "%s bears the label of another machine: left alone", what);
    return of->listed ? check_time(removing, kind, thing, what, err) : 0;
}

static int find(struct removing *removing, enum hetzner_kind kind, struct json **out, struct error *err)
{
    const struct hetzner_removal *of = removing->of;
    AUTO_JSON *things = NULL;
    if (hetzner_find(removing->api, kind, of->machine, of->listed ? NULL : of->name, &things, err) < 0 ||
        add_by_id(removing, kind, things, err) < 0)
        return -1;
    for (size_t i = 0; i < json_count(things); i++)
        if (check_whose(removing, kind, json_at(things, i), err) < 0)
            return -1;
    removing->found |= json_count(things) > 0;
    removing->found_server |= kind == HETZNER_SERVER && json_count(things);
    *out = TAKE(things);
    return 0;
}

static int remove_one(struct cloud_api *api, enum hetzner_kind kind, const struct json *thing,
                      enum cloud_class *class, struct error *err)
{
    AUTO_JSON *reply = NULL;
    AUTO_FREE char *what = hetzner_what(kind, thing);
    AUTO_FREE char *path = xasprintf("/%s/%" PRId64, hetzner_kind_path(kind), id_of(thing));
    if (kind == HETZNER_SERVER && json_get_bool(json_get(thing, "protection"), "delete"))
        return error_set(err, ERROR_PROVIDER, "%s is protected against deletion: take that off first", what);
    if (cloud_api_delete(api, path, &reply, class, err) < 0 || cloud_api_await(api, reply, class, err) < 0)
        return error_prefix(err, "%s", what);
    step_log_say("removed: %s", what);
    return 0;
}

static int remove_kind(struct removing *removing, enum hetzner_kind kind, struct error *err)
{
    struct cloud_clock *clock = cloud_api_clock(removing->api);
    for (int looks = 0;; looks++) {
        AUTO_JSON *things = NULL;
        AUTO_ERROR used = ERROR_INIT;
        if (find(removing, kind, &things, err) < 0)
            return -1;
        if (!json_count(things))
            return 0;
        for (size_t i = 0; i < json_count(things); i++) {
            AUTO_ERROR why = ERROR_INIT;
            enum cloud_class class = CLOUD_NONE;
            if (remove_one(removing->api, kind, json_at(things, i), &class, &why) == 0)
                continue;
            /* For a while after its server's action is over it may count as used by it. */
            if (kind != HETZNER_FIREWALL || class != CLOUD_IN_USE)
                return error_move(err, &why);
            error_move(&used, &why);
        }
        bool waits = looks || used.kind != ERROR_NONE;
        if (!waits || cloud_clock_pause(clock, cloud_clock_poll(looks)))
            continue;
        if (used.kind != ERROR_NONE)
            return error_move(err, &used);
        AUTO_FREE char *what = hetzner_what(kind, json_at(things, 0));
        return error_set(err, ERROR_PROVIDER, "%s is still listed, and the time is up", what);
    }
}

int hetzner_remove(struct cloud_api *api, const struct hetzner_removal *of, bool *found, struct error *err)
{
    struct removing removing = {.api = api, .of = of};
    AUTO_TEXT left = TEXT_INIT;
    enum error_kind kind = ERROR_PROVIDER;
    for (int i = 0; i < HETZNER_KINDS; i++) {
        AUTO_ERROR why = ERROR_INIT;
        if (remove_kind(&removing, (enum hetzner_kind)i, &why) == 0)
            continue;
        text_addf(&left, "%s%s", left.length ? "; " : "", error_text(&why));
        /* A firewall is in use as long as its server is there, and time is short. */
        if (i == HETZNER_SERVER)
            text_add(&left, "; what belongs to it was left too");
        kind = why.kind == ERROR_PROJECT ? ERROR_PROJECT : kind;
        if (i == HETZNER_SERVER)
            break;
    }
    if (found)
        *found = removing.found;
    return left.length ? error_set(err, kind, "%s", text_string(&left)) : 0;
}
