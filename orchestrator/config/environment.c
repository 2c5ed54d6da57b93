#include "config/environment.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/provider_facts.h"
#include "format/yaml.h"

#include <ctype.h>
#include <string.h>

#define PREFIX        "TRIPHASE_"
#define PHASES_PREFIX "PHASES_"

enum { MATCH_LIMIT = 2, SHOWN_LIMIT = 200 };

void spots_add(struct spots *spots, enum key_scope scope, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    spots->items = xreallocarray(spots->items, spots->count + 1, sizeof *spots->items);
    spots->items[spots->count++] = (struct spot){xvasprintf(format, args), scope};
    va_end(args);
}

void spots_add_shared(struct spots *spots)
{
    spots_add(spots, SCOPE_PROJECT, "%s", "");
    spots_add(spots, SCOPE_TARGET, "defaults");
    for (const char *const *name = provider_names(); *name; name++)
        spots_add(spots, SCOPE_TARGET, "providers.%s", *name);
}

void spots_clear(struct spots *spots)
{
    for (size_t i = 0; i < spots->count; i++)
        free(spots->items[i].path);
    free(spots->items);
    *spots = (struct spots){0};
}

/* Whether this key can be given from outside at this spot. */
static bool is_open_to(const struct spot *spot, const struct key *key)
{
    if (key->scope != spot->scope || key->flags & KEY_FILE ||
        (spot->scope == SCOPE_PHASE && key->flags & KEY_OWN))
        return false;
    return !(text_starts(spot->path, "providers.") && key->flags & KEY_NO_PROVIDER);
}

/* "defaults.stage_deadline.ready" becomes DEFAULTS_STAGE_DEADLINE_READY. malloc'ed. */
static char *variable_form(const char *path)
{
    char *out = xstrdup(path);
    for (char *at = out; *at; at++)
        *at = *at == '.' || *at == '-' ? '_' : (char)toupper((unsigned char)*at);
    return out;
}

static void match_add(struct spot_key *matches, size_t *count, const struct spot *spot, const struct key *key,
                      const char *field)
{
    if (*count < MATCH_LIMIT)
        matches[*count] = (struct spot_key){spot, key, xstrdup_or_null(field)};
    ++*count;
}

static void matches_clear(struct spot_key *matches)
{
    for (size_t i = 0; i < MATCH_LIMIT; i++)
        free(matches[i].field);
}

static size_t match_variable(struct settings *layers, const struct spots *spots, const char *name,
                             struct spot_key *matches)
{
    size_t count = 0;
    for (size_t i = 0; i < spots->count; i++) {
        const struct spot *spot = &spots->items[i];
        AUTO_FREE char *place = variable_form(spot->path);
        size_t length = strlen(place);
        if (length && (strncmp(name, place, length) != 0 || name[length] != '_'))
            continue;
        const char *rest = name + (length ? length + 1 : 0);
        const struct key *key;
        for (size_t k = 0; (key = schema_key(k)); k++) {
            if (!is_open_to(spot, key))
                continue;
            AUTO_FREE char *form = variable_form(key->name);
            size_t form_length = strlen(form);
            if (text_is(rest, form)) {
                match_add(matches, &count, spot, key, NULL);
            } else if (schema_is_open(key) && text_starts(rest, form) && rest[form_length] == '_') {
                AUTO_WORDS entries = WORDS_INIT;
                settings_entries(layers, key->name, &entries);
                for (size_t e = 0; e < entries.count; e++) {
                    AUTO_FREE char *entry = variable_form(entries.items[e]);
                    if (text_is(rest + form_length + 1, entry))
                        match_add(matches, &count, spot, key, entries.items[e]);
                }
            }
        }
    }
    return count;
}

static size_t match_path(const struct spots *spots, const char *path, struct spot_key *matches)
{
    size_t count = 0;
    for (size_t i = 0; i < spots->count; i++) {
        const struct spot *spot = &spots->items[i];
        size_t length = strlen(spot->path);
        if (length && (strncmp(path, spot->path, length) != 0 || path[length] != '.'))
            continue;
        const char *rest = path + (length ? length + 1 : 0);
        const struct key *key;
        for (size_t k = 0; (key = schema_key(k)); k++) {
            size_t name_length = strlen(key->name);
            if (!is_open_to(spot, key))
                continue;
            if (text_is(rest, key->name))
                match_add(matches, &count, spot, key, NULL);
            else if (schema_is_open(key) && strncmp(rest, key->name, name_length) == 0 &&
                     rest[name_length] == '.' && rest[name_length + 1])
                match_add(matches, &count, spot, key, rest + name_length + 1);
        }
    }
    return count;
}

/* All paths that could have been meant, for the nearest one. */
static void known_paths(const struct spots *spots, bool as_variables, struct words *out)
{
    for (size_t i = 0; i < spots->count; i++) {
        const struct key *key;
        for (size_t k = 0; (key = schema_key(k)); k++) {
            const struct spot *spot = &spots->items[i];
            if (!is_open_to(spot, key) || key->flags & KEY_LATER)
                continue;
            char *path = xasprintf("%s%s%s", spot->path, *spot->path ? "." : "", key->name);
            if (as_variables) {
                AUTO_FREE char *form = variable_form(path);
                free(path);
                path = xasprintf(PREFIX "%s", form);
            }
            words_own(out, path);
        }
    }
}

/* The one path that lacks nothing but its beginning ("vault.ttl"); NULL: none, or several. */
static const char *path_that_ends_so(const char *name, const struct words *known)
{
    AUTO_FREE char *end = strchr(name, '.') ? xasprintf(".%s", name) : NULL;
    const char *found = NULL;
    for (size_t i = 0; end && i < known->count; i++) {
        if (!text_ends(known->items[i], end))
            continue;
        if (found)
            return NULL;
        found = known->items[i];
    }
    return found;
}

static void fault_nearest(const struct spots *spots, bool as_variables, const char *name, const char *place,
                          struct words *faults)
{
    AUTO_WORDS known = WORDS_INIT;
    known_paths(spots, as_variables, &known);
    const char *nearest = path_that_ends_so(name, &known);
    if (!nearest)
        nearest = text_nearest(name, words_argv(&known));
    fault_add(faults, place, "there is no such setting in this project%s%s%s",
              nearest ? "; the nearest is " : "", nearest ? nearest : "",
              nearest ? "" : "; 'triphase config' prints all");
}

struct node *environment_read_value(const struct key *key, const char *field, const char *text,
                                    const char *place, struct words *faults)
{
    bool names = key->type == VALUE_TRANSPORT || key->type == VALUE_HOST_KEYS;
    bool raw = !field && ((schema_is_text(key) && *text != '"' && *text != '\'') ||
                          (names && *text != '[' && *text != '{' && *text != '"' && *text != '\''));
    bool secret = key->type == VALUE_SECRET || key->type == VALUE_SECRETS;
    struct node *node = NULL;
    AUTO_WORDS own = WORDS_INIT;
    if (!text_is_utf8(text, strlen(text))) {
        fault_add(faults, place, "the value is not UTF-8 text");
        return NULL;
    }
    if (raw)
        return node_new_string(text);
    if (yaml_read(text, strlen(text), place, &node, &own) == 0)
        return node;
    /* What libyaml says of a secret could hold a piece of it. */
    if (secret)
        fault_add(faults, place,
                  "the value is not YAML; a secret is given as {file: PATH}, {env: NAME}, {fd: NUMBER} or "
                  "{command: [...]}");
    else
        words_add_list(faults, words_argv(&own));
    return NULL;
}

int environment_find(const struct spots *spots, const char *path, const char *place, struct spot_key *out,
                     struct words *faults)
{
    struct spot_key matches[MATCH_LIMIT] = {0};
    size_t count = match_path(spots, path, matches);
    if (!count) {
        fault_nearest(spots, false, path, place, faults);
        return -1;
    }
    *out = matches[0];
    matches[0].field = NULL;
    matches_clear(matches);
    return 0;
}

static void apply(struct settings *layers, enum source source, const struct spot_key *match, const char *text,
                  const char *place, struct words *faults)
{
    struct provenance from = {place, false};
    struct node *node = environment_read_value(match->key, match->field, text, place, faults);
    if (!node)
        return;
    settings_own(layers, node);
    settings_add(layers, source, match->spot->path, match->key, match->field, node, (struct node_place){0, 0},
                 &from, faults);
}

static char *path_of(const struct spot_key *match)
{
    return xasprintf("%s%s%s%s%s", match->spot->path, *match->spot->path ? "." : "", match->key->name,
                     match->field ? "." : "", match->field ? match->field : "");
}

static void apply_matches(struct settings *layers, enum source source, const struct spot_key *matches,
                          size_t count, const char *text, const char *place, struct words *faults)
{
    if (count == 1) {
        apply(layers, source, &matches[0], text, place, faults);
        return;
    }
    AUTO_FREE char *first = path_of(&matches[0]), *second = path_of(&matches[1]);
    fault_add(faults, place, "it could mean %s or %s; use --set with the one that is meant", first, second);
}

static char *place_named(const char *what, const char *name)
{
    AUTO_TEXT out = TEXT_INIT;
    size_t length = strlen(name);
    text_addf(&out, "%s ", what);
    text_add_printable(&out, name, length < SHOWN_LIMIT ? length : SHOWN_LIMIT);
    return text_take(&out);
}

/* Names that triphase itself gives to its children, or that are for its own tests: never configuration; and
 * the one that stands for a whole command (config/accelerate_keys.h). */
static bool is_reserved(const char *name)
{
    static const char *const reserved[] = {
        "RUN",    "STEP",        "EVENTS",     "NO_CGROUP", "PENDING_HANDLERS",
        "EXPECT", "OLD_ANSIBLE", "ACCELERATE", "MITOGEN",   NULL};
    return text_is_one_of(name, reserved) || text_starts(name, "TEST_");
}

void environment_add(struct settings *layers, const struct spots *spots, bool phases,
                     const char *const *environment, struct words *faults)
{
    AUTO_WORDS ours = WORDS_INIT;
    for (; *environment; environment++)
        if (text_starts(*environment, PREFIX) && strchr(*environment, '=') &&
            text_starts(*environment + sizeof PREFIX - 1, PHASES_PREFIX) == phases)
            words_add(&ours, *environment);
    /* Of a map and one of its fields the field comes later and so counts: '=' stands before '_'. */
    words_sort_unique(&ours);
    for (size_t i = 0; i < ours.count; i++) {
        size_t length = strcspn(ours.items[i], "=");
        AUTO_FREE char *name = xstrndup(ours.items[i], length);
        const char *value = ours.items[i] + length + 1;
        if (is_reserved(name + sizeof PREFIX - 1) || !*value)
            continue;
        struct spot_key matches[MATCH_LIMIT] = {0};
        size_t count = match_variable(layers, spots, name + sizeof PREFIX - 1, matches);
        AUTO_FREE char *place = place_named("environment", name);
        if (count)
            apply_matches(layers, SOURCE_ENVIRONMENT, matches, count, value, place, faults);
        else
            fault_nearest(spots, true, name, place, faults);
        matches_clear(matches);
    }
}

void environment_add_sets(struct settings *layers, const struct spots *spots, bool phases,
                          const char *const *sets, struct words *faults)
{
    for (; sets && *sets; sets++) {
        size_t length = strcspn(*sets, "=");
        AUTO_FREE char *path = xstrndup(*sets, length);
        AUTO_FREE char *place = place_named("--set", path);
        if (text_starts(path, "phases.") != phases)
            continue;
        if (!(*sets)[length]) {
            fault_add(faults, place,
                      "no value; write it as PATH=YAML, like --set targets.vault.root=debian-13");
            continue;
        }
        struct spot_key matches[MATCH_LIMIT] = {0};
        size_t count = match_path(spots, path, matches);
        if (count)
            apply_matches(layers, SOURCE_SET, matches, count, *sets + length + 1, place, faults);
        else
            fault_nearest(spots, false, path, place, faults);
        matches_clear(matches);
    }
}
