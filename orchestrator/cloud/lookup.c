#include "cloud/lookup.h"

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "net/http_word.h"

struct shelf {
    const char *path, *many, *one; /* members of a listing and of a single one */
    const char *what, *key;        /* for words */
};

static const struct shelf shelves[CLOUD_KINDS] = {
    [CLOUD_SSH_KEY] = {"/ssh_keys", "ssh_keys", "ssh_key", "ssh key", "ssh_keys"},
    [CLOUD_FIREWALL] = {"/firewalls", "firewalls", "firewall", "firewall", "firewalls"},
    [CLOUD_NETWORK] = {"/networks", "networks", "network", "network", "networks"},
    [CLOUD_PLACEMENT_GROUP] = {"/placement_groups", "placement_groups", "placement_group", "placement group",
                               "placement_group"},
};
static const struct shelf server_types = {"/server_types", "server_types", "server_type", "server type",
                                          "server_type"};
static const struct shelf images = {"/images", "images", "image", "image", "image"};

/* ------------------------------------------------------------ by name or id */
static bool is_id(const char *text, int64_t *id)
{
    return number_parse(text, 1, INT64_MAX, id, NULL) == 0;
}

/* Of the array; borrowed. */
static struct json *find(const struct json *items, const char *name_or_id)
{
    int64_t id;
    struct json *by_id = NULL;
    bool numeric = is_id(name_or_id, &id);
    for (size_t i = 0; i < json_count(items); i++) {
        struct json *item = json_at(items, i);
        if (numeric && json_get_integer(item, "id", -1) == id)
            by_id = item;
        else if (!by_id && text_is(json_get_string(item, "name", NULL), name_or_id))
            by_id = item;
    }
    return by_id;
}

static int none_such(const struct shelf *shelf, const char *name, const char *beside,
                     const struct json *items, enum cloud_class *class, struct error *err)
{
    AUTO_WORDS names = WORDS_INIT;
    AUTO_FREE char *shown = text_shown(name);
    for (size_t i = 0; i < json_count(items); i++)
        words_add(&names, json_get_string(json_at(items, i), "name", ""));
    const char *nearest = text_nearest(name, words_argv(&names));
    AUTO_FREE char *near = nearest ? text_shown(nearest) : NULL;
    if (class)
        *class = CLOUD_CONFIGURATION;
    return error_set(err, ERROR_PROJECT,
                     "the cloud's project has no %s '%s'%s%s%s%s: see `%s` in triphase.yml", shelf->what,
                     shown, beside, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "",
                     shelf->key);
}

/* Names for "did you mean", and the failure. */
static int absent(struct cloud_api *api, const struct shelf *shelf, const char *name, const char *query,
                  const char *beside, enum cloud_class *class, struct error *err)
{
    AUTO_JSON *items = NULL;
    AUTO_FREE char *path = xasprintf("%s%s", shelf->path, query);
    if (cloud_api_list(api, path, shelf->many, &items, class, err) < 0)
        return -1;
    return none_such(shelf, name, beside, items, class, err);
}

/* *out NULL where no such id is there. */
static int get_by_id(struct cloud_api *api, const struct shelf *shelf, int64_t id, struct json **out,
                     enum cloud_class *class, struct error *err)
{
    AUTO_JSON *said = NULL;
    AUTO_ERROR why = ERROR_INIT;
    enum cloud_class which;
    AUTO_FREE char *path = xasprintf("%s/%lld", shelf->path, (long long)id);
    if (cloud_api_get(api, path, &said, &which, &why) < 0 && which != CLOUD_ABSENT) {
        if (class)
            *class = which;
        return error_move(err, &why);
    }
    struct json *item = json_get(said, shelf->one);
    *out = item ? json_keep(item) : NULL;
    return 0;
}

/* `query`: of a listing, "?…" or ""; `more`: what asking by name adds to it, without its mark. */
static int look_up(struct cloud_api *api, const struct shelf *shelf, const char *name_or_id,
                   const char *query, const char *beside, struct json **out, enum cloud_class *class,
                   struct error *err)
{
    AUTO_JSON *items = NULL;
    AUTO_FREE char *name = http_word(name_or_id);
    AUTO_FREE char *path = xasprintf("%s%s%cname=%s", shelf->path, query, *query ? '&' : '?', name);
    int64_t id;
    *out = NULL;
    if (is_id(name_or_id, &id) && get_by_id(api, shelf, id, out, class, err) < 0)
        return -1;
    if (*out)
        return 0;
    if (cloud_api_list(api, path, shelf->many, &items, class, err) < 0)
        return -1;
    struct json *item = find(items, name_or_id);
    if (!item)
        return absent(api, shelf, name_or_id, query, beside, class, err);
    *out = json_keep(item);
    return 0;
}

int cloud_lookup(struct cloud_api *api, enum cloud_kind kind, const char *name_or_id, int64_t *id,
                 enum cloud_class *class, struct error *err)
{
    AUTO_JSON *item = NULL;
    if (look_up(api, &shelves[kind], name_or_id, "", "", &item, class, err) < 0)
        return -1;
    *id = json_get_integer(item, "id", 0);
    return 0;
}

/* Of several: all are listed, which is one request. */
static int find_all(struct cloud_api *api, const struct shelf *shelf, const struct words *names,
                    struct json *ids, enum cloud_class *class, struct error *err)
{
    AUTO_JSON *items = NULL;
    if (cloud_api_list(api, shelf->path, shelf->many, &items, class, err) < 0)
        return -1;
    for (size_t i = 0; i < names->count; i++) {
        const struct json *item = find(items, names->items[i]);
        if (!item)
            return none_such(shelf, names->items[i], "", items, class, err);
        json_append(ids, json_new_integer(json_get_integer(item, "id", 0)));
    }
    return 0;
}

int cloud_lookup_all(struct cloud_api *api, enum cloud_kind kind, const struct words *names_or_ids,
                     struct json **out, enum cloud_class *class, struct error *err)
{
    AUTO_JSON *ids = json_new_array();
    int64_t id;
    if (names_or_ids->count == 1) {
        if (cloud_lookup(api, kind, names_or_ids->items[0], &id, class, err) < 0)
            return -1;
        json_append(ids, json_new_integer(id));
    } else if (names_or_ids->count && find_all(api, &shelves[kind], names_or_ids, ids, class, err) < 0) {
        return -1;
    }
    if (class)
        *class = CLOUD_NONE;
    *out = TAKE(ids);
    return 0;
}

/* ------------------------------------------------------------ server types */
/* In words, when something is to go, or went; NULL: it stays. */
static char *farewell(const char *what, const char *name, const struct json *item)
{
    const struct json *deprecation = json_get(item, "deprecation");
    const char *until = json_get_string(deprecation, "unavailable_after", NULL);
    const char *since = json_get_string(deprecation, "announced", json_get_string(item, "deprecated", NULL));
    AUTO_FREE char *shown = text_shown(name), *first = text_shown(since ? since : "");
    AUTO_FREE char *last = text_shown(until ? until : "");
    if (!since && !until)
        return NULL;
    return xasprintf("the %s '%s' is deprecated%s%s%s%s: choose another one", what, shown,
                     since ? " since " : "", first, until ? ", and not to be had after " : "", last);
}

void cloud_server_type_clear(struct cloud_server_type *type)
{
    free(type->name);
    free(type->architecture);
    free(type->warning);
    words_clear(&type->offered);
    words_clear(&type->available);
    *type = (struct cloud_server_type){0};
}

/* It goes place by place: where it goes from all of them, it goes. */
static const struct json *farewell_of(const struct json *type, const struct json *places)
{
    for (size_t i = 0; i < json_count(places); i++)
        if (!json_is_object(json_get(json_at(places, i), "deprecation")))
            return type;
    return json_is_object(json_get(type, "deprecation")) || !json_count(places) ? type : json_at(places, 0);
}

int cloud_lookup_server_type(struct cloud_api *api, const char *name_or_id, struct cloud_server_type *out,
                             enum cloud_class *class, struct error *err)
{
    AUTO_JSON *item = NULL;
    if (look_up(api, &server_types, name_or_id, "", "", &item, class, err) < 0)
        return -1;
    const char *name = json_get_string(item, "name", name_or_id);
    const struct json *places = json_get(item, "locations");
    *out = (struct cloud_server_type){
        .id = json_get_integer(item, "id", 0),
        .name = xstrdup(name),
        .architecture = xstrdup(json_get_string(item, "architecture", "x86")),
        .warning = farewell("server type", name, farewell_of(item, places)),
    };
    for (size_t i = 0; json_is_array(places) && i < json_count(places); i++) {
        const struct json *place = json_at(places, i);
        words_add(&out->offered, json_get_string(place, "name", ""));
        if (json_get_bool(place, "available"))
            words_add(&out->available, json_get_string(place, "name", ""));
    }
    return 0;
}

/* ------------------------------------------------------------ images */
void cloud_image_clear(struct cloud_image *image)
{
    free(image->type);
    free(image->warning);
    *image = (struct cloud_image){0};
}

static int other_architecture(const char *name, const char *has, const char *wanted, enum cloud_class *class,
                              struct error *err)
{
    AUTO_FREE char *shown = text_shown(name), *first = text_shown(has), *second = text_shown(wanted);
    if (class)
        *class = CLOUD_CONFIGURATION;
    return error_set(err, ERROR_PROJECT,
                     "the image %s is for %s, and the server type is %s: see `image` and `server_type` in"
                     " triphase.yml",
                     shown, first, second);
}

int cloud_lookup_image(struct cloud_api *api, const char *name_or_id, const char *architecture,
                       struct cloud_image *out, enum cloud_class *class, struct error *err)
{
    AUTO_JSON *item = NULL;
    AUTO_FREE char *word = http_word(architecture);
    AUTO_FREE char *query = xasprintf("?architecture=%s&include_deprecated=true", word);
    AUTO_FREE char *beside = xasprintf(" for the architecture %s", architecture);
    if (look_up(api, &images, name_or_id, query, beside, &item, class, err) < 0)
        return -1;
    const char *its = json_get_string(item, "architecture", architecture);
    if (!text_is(its, architecture))
        return other_architecture(name_or_id, its, architecture, class, err);
    const char *name = json_get_string(item, "name", json_get_string(item, "description", name_or_id));
    *out = (struct cloud_image){.id = json_get_integer(item, "id", 0),
                                .type = xstrdup(json_get_string(item, "type", "system")),
                                .warning = farewell("image", name, item)};
    return 0;
}
