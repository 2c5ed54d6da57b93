#include "provider/hetzner_list.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "cloud/create_server.h"
#include "net/http_word.h"
#include "provider/hetzner_order.h"
#include "sandbox/owner.h"

#include <inttypes.h>
#include <string.h>

static const struct {
    const char *path, *member, *singular;
} kinds[] = {
    [HETZNER_SERVER] = {"servers", "server", "server"},
    [HETZNER_FIREWALL] = {"firewalls", "firewall", "firewall"},
    [HETZNER_KEY] = {"ssh_keys", "ssh_key", "ssh key"},
};

const char *hetzner_kind_path(enum hetzner_kind kind)
{
    return kinds[kind].path;
}

const char *hetzner_kind_member(enum hetzner_kind kind)
{
    return kinds[kind].member;
}

const char *hetzner_label(const struct json *thing, const char *label)
{
    return json_get_string(json_get(thing, "labels"), label, NULL);
}

/* ---- listing ---- */

char *hetzner_what(enum hetzner_kind kind, const struct json *thing)
{
    AUTO_FREE char *name = text_shown(json_get_string(thing, "name", ""));
    const char *location = json_get_string(json_get(thing, "location"), "name", NULL);
    AUTO_FREE char *shown = text_shown(location ? location : "");
    return xasprintf("%s %" PRId64 " (%s)%s%s", kinds[kind].singular, json_get_integer(thing, "id", 0), name,
                     location ? " in " : "", shown);
}

int64_t hetzner_expiry(const struct json *thing)
{
    const char *text = hetzner_label(thing, HETZNER_EXPIRES_LABEL);
    char *end = NULL;
    long long seconds = text ? strtoll(text, &end, 10) : 0;
    return seconds > 0 && seconds < INT64_MAX / NS_PER_S && !*end ? seconds * NS_PER_S : 0;
}

/* What one more thing of a machine adds to its row: the row is of all its servers, else of what is left. */
static void add_to(struct listed *item, enum hetzner_kind kind, const struct json *thing, const char *what)
{
    bool of_server = text_starts(item->what, kinds[HETZNER_SERVER].singular);
    int64_t expires = hetzner_expiry(thing);
    if (of_server && kind != HETZNER_SERVER)
        return; /* it belongs to that server */
    char *both = xasprintf("%s, %s", item->what, what);
    free(item->what);
    item->what = both;
    if (kind != HETZNER_SERVER)
        return;
    /* They go together: when the last of them may, and none that never does. */
    item->expires_ns = item->expires_ns && expires > item->expires_ns ? expires : item->expires_ns;
    item->expires_ns = expires ? item->expires_ns : 0;
}

static struct listed *row_of(const struct listing *listing, const char *reference, const char *project_id)
{
    for (size_t i = 0; i < listing->count; i++)
        if (text_is(listing->items[i].reference, reference) &&
            text_is(listing->items[i].project_id, project_id))
            return &listing->items[i];
    return NULL;
}

static void add_listed(enum hetzner_kind kind, const struct json *thing, struct listing *out)
{
    const char *machine = hetzner_label(thing, CLOUD_MACHINE_LABEL),
               *project_id = hetzner_label(thing, HETZNER_ID_LABEL),
               *target_of = hetzner_label(thing, HETZNER_TARGET_LABEL);
    char name[SANDBOX_NAME_SIZE];
    bool named = machine && sandbox_name(machine, name, NULL) == 0;
    AUTO_FREE char *own = text_shown(json_get_string(thing, "name", ""));
    const char *reference = named ? name : own;
    struct listed *item = row_of(out, reference, project_id);
    AUTO_FREE char *what = hetzner_what(kind, thing);
    const char *kept_by = !named ? "no label says which machine it is"
                          : json_get_bool(json_get(thing, "protection"), "delete")
                              ? "its delete protection is on"
                              : NULL;
    if (item) {
        add_to(item, kind, thing, what);
    } else {
        item = listing_add(out);
        item->reference = xstrdup(reference);
        item->what = kind == HETZNER_SERVER ? TAKE(what) : xasprintf("of a server that is gone: %s", what);
        item->project_id = xstrdup_or_null(project_id);
        item->target = target_of ? text_shown(target_of) : NULL;
        item->machine = named ? xstrdup(machine) : NULL;
        item->made_ns = moment_from_rfc3339(json_get_string(thing, "created", ""));
        item->expires_ns = hetzner_expiry(thing);
    }
    if (kept_by && !item->kept_by)
        item->kept_by = xstrdup(kept_by);
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

/* ---- finding ---- */

/* Those of the list that may be the machine's. */
static struct json *own_of(const struct json *things, const char *machine)
{
    struct json *own = json_new_array();
    for (size_t i = 0; i < json_count(things); i++) {
        const char *label = hetzner_label(json_at(things, i), CLOUD_MACHINE_LABEL);
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
    AUTO_FREE char *label = http_word(selector), *word = http_word(name ? name : "");
    AUTO_FREE char *by_label = xasprintf("/%s?label_selector=%s", kinds[kind].path, label);
    AUTO_FREE char *by_name = xasprintf("/%s?name=%s", kinds[kind].path, word);
    if (cloud_api_list(api, by_label, kinds[kind].path, &labelled, NULL, err) < 0)
        return -1;
    if (name && !json_count(labelled) &&
        cloud_api_list(api, by_name, kinds[kind].path, &named, NULL, err) < 0)
        return -1;
    *out = own_of(json_count(labelled) ? labelled : named, machine);
    return 0;
}
