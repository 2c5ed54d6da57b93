#include "provider/hetzner_list.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "cloud/create_server.h"
#include "event/step_log.h"
#include "provider/hetzner_order.h"
#include "sandbox/owner.h"

#include <inttypes.h>
#include <string.h>

static const struct {
    const char *path, *singular;
} kinds[] = {
    [HETZNER_SERVER] = {"servers", "server"},
    [HETZNER_FIREWALL] = {"firewalls", "firewall"},
    [HETZNER_KEY] = {"ssh_keys", "ssh key"},
};

const char *hetzner_kind_path(enum hetzner_kind kind)
{
    return kinds[kind].path;
}

static const char *label_of(const struct json *thing, const char *label)
{
    return json_get_string(json_get(thing, "labels"), label, NULL);
}

/* ---- listing ---- */

static char *what_of(enum hetzner_kind kind, const struct json *thing)
{
    AUTO_FREE char *name = text_shown(json_get_string(thing, "name", ""));
    const char *location = json_get_string(json_get(thing, "location"), "name", NULL);
    return xasprintf("%s %" PRId64 " (%s)%s%s", kinds[kind].singular, json_get_integer(thing, "id", 0), name,
                     location ? " in " : "", location ? location : "");
}

static int64_t seconds_of(const char *text)
{
    char *end = NULL;
    long long seconds = text ? strtoll(text, &end, 10) : 0;
    return seconds > 0 && seconds < INT64_MAX / NS_PER_S && !*end ? seconds * NS_PER_S : 0;
}

static void add_listed(enum hetzner_kind kind, const struct json *thing, struct listing *out)
{
    const char *machine = label_of(thing, CLOUD_MACHINE_LABEL);
    char name[SANDBOX_NAME_SIZE];
    bool named = machine && sandbox_name(machine, name, NULL) == 0;
    const char *reference = named ? name : json_get_string(thing, "name", "");
    struct listed *item = (struct listed *)listing_find(out, reference);
    AUTO_FREE char *what = what_of(kind, thing);
    bool kept = json_get_bool(json_get(thing, "protection"), "delete");
    if (item && text_starts(item->what, kinds[HETZNER_SERVER].singular))
        return; /* it belongs to that server */
    if (item) {
        char *both = xasprintf("%s, %s", item->what, what);
        free(item->what);
        item->what = both;
        return;
    }
    item = listing_add(out);
    item->reference = xstrdup(reference);
    item->what = kind == HETZNER_SERVER ? TAKE(what) : xasprintf("of a server that is gone: %s", what);
    item->project_id = xstrdup_or_null(label_of(thing, HETZNER_ID_LABEL));
    item->target = xstrdup_or_null(label_of(thing, HETZNER_TARGET_LABEL));
    item->machine = xstrdup_or_null(machine);
    item->kept_by = kept ? xstrdup("its delete protection is on") : NULL;
    item->made_ns = moment_from_rfc3339(json_get_string(thing, "created", ""));
    item->expires_ns = seconds_of(label_of(thing, HETZNER_EXPIRES_LABEL));
}

void hetzner_list_read(struct json *const lists[HETZNER_KINDS], struct listing *out)
{
    for (int kind = 0; kind < HETZNER_KINDS; kind++)
        for (size_t i = 0; i < json_count(lists[kind]); i++)
            add_listed((enum hetzner_kind)kind, json_at(lists[kind], i), out);
}

int hetzner_list(struct cloud_api *api, struct listing *out, struct error *err)
{
    struct json *lists[HETZNER_KINDS] = {NULL};
    int result = 0;
    for (int kind = 0; kind < HETZNER_KINDS && result == 0; kind++) {
        AUTO_FREE char *path = xasprintf("/%s?label_selector=" HETZNER_ID_LABEL, kinds[kind].path);
        result = cloud_api_list(api, path, kinds[kind].path, &lists[kind], NULL, err);
    }
    if (result == 0) {
        hetzner_list_read(lists, out);
        out->now_ns = cloud_api_now_ns(api);
    }
    for (int kind = 0; kind < HETZNER_KINDS; kind++)
        json_free(lists[kind]);
    return result;
}

/* ---- removing ---- */

/* Those of the list that may be the machine's. */
static struct json *own_of(const struct json *things, const char *machine)
{
    struct json *own = json_new_array();
    for (size_t i = 0; i < json_count(things); i++) {
        const char *label = label_of(json_at(things, i), CLOUD_MACHINE_LABEL);
        if (!label || text_is(label, machine))
            json_append(own, json_keep(json_at(things, i)));
    }
    return own;
}

int hetzner_find(struct cloud_api *api, enum hetzner_kind kind, const char *machine, const char *name,
                 struct json **out, struct error *err)
{
    AUTO_JSON *labelled = NULL, *named = NULL;
    AUTO_FREE char *selector = xasprintf(CLOUD_MACHINE_LABEL "=%s", machine);
    AUTO_FREE char *label = cloud_api_query(selector), *word = cloud_api_query(name);
    AUTO_FREE char *by_label = xasprintf("/%s?label_selector=%s", kinds[kind].path, label);
    AUTO_FREE char *by_name = xasprintf("/%s?name=%s", kinds[kind].path, word);
    if (cloud_api_list(api, by_label, kinds[kind].path, &labelled, NULL, err) < 0)
        return -1;
    if (!json_count(labelled) && cloud_api_list(api, by_name, kinds[kind].path, &named, NULL, err) < 0)
        return -1;
    *out = own_of(json_count(labelled) ? labelled : named, machine);
    return 0;
}

static int remove_one(struct cloud_api *api, enum hetzner_kind kind, const struct json *thing,
                      struct error *err)
{
    AUTO_JSON *reply = NULL;
    AUTO_FREE char *what = what_of(kind, thing);
    AUTO_FREE char *path = xasprintf("/%s/%" PRId64, kinds[kind].path, json_get_integer(thing, "id", 0));
    if (kind == HETZNER_SERVER && json_get_bool(json_get(thing, "protection"), "delete"))
        return error_set(err, ERROR_PROVIDER, "%s is protected against deletion: take that off first", what);
    if (cloud_api_delete(api, path, &reply, NULL, err) < 0 || cloud_api_await(api, reply, NULL, err) < 0)
        return error_prefix(err, "%s", what);
    step_log_say("removed: %s", what);
    return 0;
}

static int remove_kind(struct cloud_api *api, enum hetzner_kind kind, const char *machine, const char *name,
                       const char *project_id, struct error *err)
{
    for (int looks = 0;; looks++) {
        AUTO_JSON *things = NULL;
        if (hetzner_find(api, kind, machine, name, &things, err) < 0)
            return -1;
        if (!json_count(things))
            return 0;
        for (size_t i = 0; i < json_count(things); i++) {
            const struct json *thing = json_at(things, i);
            const char *whose = label_of(thing, HETZNER_ID_LABEL);
            AUTO_FREE char *what = what_of(kind, thing);
            if (project_id && whose && !text_is(whose, project_id))
                return error_set(err, ERROR_PROVIDER, "%s is another project's (%s): left alone", what,
                                 whose);
            if (remove_one(api, kind, thing, err) < 0)
                return -1;
        }
        if (looks && !cloud_clock_pause(cloud_api_clock(api), cloud_clock_poll(looks)))
            return error_set(err, ERROR_PROVIDER, "the %s %s is still listed, and the time is up",
                             kinds[kind].singular, name);
    }
}

int hetzner_remove(struct cloud_api *api, const char *machine, const char *name, const char *project_id,
                   struct error *err)
{
    AUTO_TEXT left = TEXT_INIT;
    enum error_kind kind = ERROR_PROVIDER;
    for (int i = 0; i < HETZNER_KINDS; i++) {
        AUTO_ERROR why = ERROR_INIT;
        if (remove_kind(api, (enum hetzner_kind)i, machine, name, project_id, &why) == 0)
            continue;
        text_addf(&left, "%s%s", left.length ? "; " : "", error_text(&why));
        /* A firewall is in use as long as its server is there, and time is short. */
        if (i == HETZNER_SERVER)
            text_add(&left, "; what belongs to it was left too");
        kind = why.kind == ERROR_PROJECT ? ERROR_PROJECT : kind;
        if (i == HETZNER_SERVER)
            break;
    }
    return left.length ? error_set(err, kind, "%s", text_string(&left)) : 0;
}
