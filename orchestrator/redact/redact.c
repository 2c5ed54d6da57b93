#include "redact/redact.h"

#include "base/file.h"
#include "base/memory.h"
#include "redact/beside.h"
#include "redact/shape.h"
#include "redact/token.h"
#include "redact/value.h"

#include <stdint.h>
#include <string.h>

enum { LINE_LEAST = 8 }; /* a shorter line of a value says nothing by itself */
enum { GOES_ON_MOST = 64 << 10 };

/* One pattern of one value. */
struct redact_place {
    size_t value;
    int pattern;
};

struct beside {
    char *key, *value;
    size_t length;
};

struct redact_rules {
    struct beside *beside;
    size_t beside_count;
    struct beside *names; /* without a key: what gives way */
    size_t name_count;
    struct redact_value *values;
    bool *given_way; /* of each value: it is a name, and known beside its key only */
    size_t count;
    size_t reach; /* nothing that begins somewhere depends on what lies farther behind it */
    struct redact_place *places[256]; /* by the byte that a pattern begins with */
    size_t place_counts[256];
};

struct redact {
    const struct redact_rules *rules;
    struct text source; /* what is not decided yet, behind `at`; before it at least two bytes of what is */
    size_t at;
    struct text done; /* decided; its last byte is kept back: what comes may claim it */
    bool own_tail;    /* that byte is a marker's */
    /* in `source`: a label's value that is still ahead; `planned_to` 0: none */
    size_t planned_from, planned_to;
    const char *planned_kind;
    enum redact_shape_list list; /* of keys, that it is in */
    size_t list_left;            /* bytes it may have */
    bool list_long;              /* one that is long has come */
    size_t count;
    size_t unheard; /* bytes that are looked at, and not handed out */
    bool known_only, live;
    struct json *kinds;
};

struct redact_rules *redact_rules_new(void)
{
    struct redact_rules *rules = xcalloc(1, sizeof *rules);
    rules->reach = REDACT_SHAPE_REACH;
    return rules;
}

static void free_all_beside(struct beside *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(all[i].key);
        memory_free_secret(all[i].value, all[i].length);
    }
    free(all);
}

void redact_rules_free(struct redact_rules *rules)
{
    if (!rules)
        return;
    for (size_t i = 0; i < rules->count; i++)
        redact_value_clear(&rules->values[i]);
    for (size_t i = 0; i < COUNT_OF(rules->places); i++)
        free(rules->places[i]);
    free_all_beside(rules->beside, rules->beside_count);
    free_all_beside(rules->names, rules->name_count);
    free(rules->values);
    free(rules->given_way);
    free(rules);
}

static void add_beside(struct beside **all, size_t *count, const char *key, const char *value, size_t length)
{
    *all = xreallocarray(*all, *count + 1, sizeof **all);
    struct beside *made = &(*all)[(*count)++];
    *made = (struct beside){xstrdup(key), xmalloc(length + 1), length};
    memcpy(made->value, value, length);
}

static bool is_name(const struct redact_rules *rules, const char *value, size_t length)
{
    for (size_t i = 0; i < rules->name_count; i++)
        if (rules->names[i].length == length && !memcmp(rules->names[i].value, value, length))
            return true;
    return false;
}

static void let_give_way(struct redact_rules *rules, size_t at)
{
    const struct redact_value *value = &rules->values[at];
    const char *word = strrchr(value->kind, ' ');
    rules->given_way[at] = true;
    redact_rules_add_beside(rules, word ? word + 1 : value->kind, (const char *)value->bytes, value->length);
}

static void add_one(struct redact_rules *rules, const char *kind, const char *value, size_t length)
{
    for (size_t i = 0; i < rules->count; i++)
        if (rules->values[i].length == length && !memcmp(rules->values[i].bytes, value, length))
            return;
    rules->given_way = xreallocarray(rules->given_way, rules->count + 1, sizeof *rules->given_way);
    rules->given_way[rules->count] = false;
    rules->values = xreallocarray(rules->values, rules->count + 1, sizeof *rules->values);
    struct redact_value *made = &rules->values[rules->count++];
    redact_value_make(kind, value, length, made);
    for (int pattern = 0; pattern < REDACT_PATTERNS; pattern++) {
        unsigned char firsts[2];
        size_t many = redact_value_firsts(made, pattern, firsts);
        for (size_t i = 0; i < many; i++) {
            size_t *at = &rules->place_counts[firsts[i]];
            struct redact_place **places = &rules->places[firsts[i]];
            *places = xreallocarray(*places, *at + 1, sizeof **places);
            (*places)[(*at)++] = (struct redact_place){rules->count - 1, pattern};
        }
    }
    size_t reach = length * REDACT_VALUE_EXPANSION + REDACT_VALUE_SLACK;
    if (reach > rules->reach)
        rules->reach = reach;
    if (is_name(rules, value, length))
        let_give_way(rules, rules->count - 1);
}

bool redact_rules_add(struct redact_rules *rules, const char *kind, const char *value, size_t length)
{
    if (length < REDACT_VALUE_LEAST)
        return false;
    add_one(rules, kind, value, length);
    if (!memchr(value, '\n', length))
        return true;
    for (size_t from = 0; from < length;) {
        const char *end = memchr(value + from, '\n', length - from);
        size_t line = end ? (size_t)(end - value) - from : length - from, next = from + line + 1;
        if (line && value[from + line - 1] == '\r')
            line--;
        if (line >= LINE_LEAST && memcmp(value + from, "-----", 5))
            add_one(rules, kind, value + from, line);
        from = next;
    }
    return true;
}

void redact_rules_add_beside(struct redact_rules *rules, const char *key, const char *value, size_t length)
{
    add_beside(&rules->beside, &rules->beside_count, key, value, length);
}

void redact_rules_give_way(struct redact_rules *rules, const char *name, size_t length)
{
    if (is_name(rules, name, length))
        return;
    add_beside(&rules->names, &rules->name_count, "", name, length);
    for (size_t i = 0; i < rules->count; i++)
        if (rules->values[i].length == length && !memcmp(rules->values[i].bytes, name, length))
            let_give_way(rules, i);
}

size_t redact_rules_count(const struct redact_rules *rules)
{
    return rules->count + rules->beside_count;
}

struct redact *redact_new(const struct redact_rules *rules)
{
    struct redact *redact = xcalloc(1, sizeof *redact);
    redact->rules = rules;
    redact->kinds = json_new_object();
    return redact;
}

struct redact *redact_new_live(const struct redact_rules *rules)
{
    struct redact *redact = redact_new(rules);
    redact->known_only = redact->live = true;
    return redact;
}

void redact_free(struct redact *redact)
{
    if (!redact)
        return;
    if (redact->source.bytes)
        explicit_bzero(redact->source.bytes, redact->source.room);
    text_clear(&redact->source);
    text_clear(&redact->done);
    json_free(redact->kinds);
    free(redact);
}

static const unsigned char *source_at(const struct redact *redact, size_t at)
{
    return (const unsigned char *)redact->source.bytes + at;
}

/* The best of those that begin with this byte; `itself`: it stands there as it is. */
static void look_at(const struct redact *redact, size_t at, unsigned char first, bool itself, bool final,
                    struct redact_value_hit *out, const char **kind)
{
    const struct redact_rules *rules = redact->rules;
    const unsigned char *data = source_at(redact, at);
    size_t left = redact->source.length - at;
    for (size_t i = 0; i < rules->place_counts[first]; i++) {
        const struct redact_place *place = &rules->places[first][i];
        const struct redact_value *value = &rules->values[place->value];
        if (rules->given_way[place->value] ||
            (itself && !redact_value_goes_on(value, place->pattern, data, left)))
            continue;
        struct redact_value_hit hit = redact_value_find(value, place->pattern, data, left, final);
        hit.open |= out->open;
        if (hit.length > out->length) {
            *out = hit;
            *kind = value->kind;
        }
        out->open = hit.open;
    }
}

/* The known value that begins here and takes most; its kind, NULL: there is none. */
static const char *known_at(const struct redact *redact, size_t at, bool final, struct redact_value_hit *out)
{
    const unsigned char *data = source_at(redact, at);
    size_t left = redact->source.length - at;
    const char *kind = NULL;
    *out = (struct redact_value_hit){0};
    if (left < 2 || !redact->rules->count)
        return NULL;
    look_at(redact, at, *data, true, final, out, &kind);
    bool firsts[256] = {false};
    if (*data == '\\' || *data == '&') {
        struct redact_token tokens[REDACT_TOKENS_MOST];
        for (size_t i = redact_tokens(data, left, tokens); i--;)
            firsts[tokens[i].bytes[0]] = true;
    } else if (*data == '%') {
        redact_percent_firsts(data, left, firsts);
    } else {
        return kind;
    }
    for (size_t i = 0; i < COUNT_OF(firsts); i++)
        if (firsts[i])
            look_at(redact, at, (unsigned char)i, false, final, out, &kind);
    return kind;
}

/* So many bytes of a list have gone by. */
static void pass(struct redact *redact, size_t count)
{
    redact->list_left -= redact->list_left < count ? redact->list_left : count;
    if (!redact->list_left)
        redact->list = REDACT_NO_LIST;
}

static void enter_list(struct redact *redact, enum redact_shape_list list)
{
    redact->list = list;
    redact->list_left = list == REDACT_KEYS ? REDACT_KEYS_MOST : list == REDACT_LINES ? REDACT_LINES_MOST : 0;
    redact->list_long = false;
}

/* How many of the next bytes are not handed out. */
static size_t take_unheard(struct redact *redact, size_t count)
{
    size_t taken = redact->unheard < count ? redact->unheard : count;
    redact->unheard -= taken;
    return taken;
}

/* End of what goes with [at, end): every known value that begins in it. `open`: one may begin in
 * it whose end has not come. */
static size_t end_of_cut(const struct redact *redact, size_t end, bool final, bool *open)
{
    size_t from = redact->at;
    for (size_t i = from + 1; i < end && i < from + redact->rules->reach; i++) {
        struct redact_value_hit hit;
        if (known_at(redact, i, final, &hit) && i + hit.length > end)
            end = i + hit.length;
        *open |= hit.open;
        if (redact->planned_to && i >= redact->planned_from && redact->planned_to > end)
            end = redact->planned_to;
    }
    return end;
}

static bool is_open(const struct redact *redact)
{
    struct redact_value_hit hit;
    if (known_at(redact, redact->at, false, &hit))
        end_of_cut(redact, redact->at + hit.length, false, &hit.open);
    return hit.open;
}

static void cut(struct redact *redact, size_t end, const char *kind, bool final)
{
    size_t from = redact->at;
    bool open = false;
    end = end_of_cut(redact, end, final, &open);
    if (redact->planned_from < end)
        redact->planned_to = 0;
    if (take_unheard(redact, end - from) < end - from)
        text_addf(&redact->done, "[REDACTED %s]", kind);
    redact->own_tail = true;
    redact->count++;
    json_set_integer(redact->kinds, kind, json_get_integer(redact->kinds, kind, 0) + 1);
    pass(redact, end - from);
    redact->at = end;
}

static void keep(struct redact *redact, size_t count)
{
    size_t unheard = take_unheard(redact, count);
    text_add_bytes(&redact->done, source_at(redact, redact->at + unheard), count - unheard);
    redact->own_tail = false;
    redact->at += count;
    pass(redact, count);
}

static bool cut_known(struct redact *redact, bool final)
{
    struct redact_value_hit hit;
    const char *kind = known_at(redact, redact->at, final, &hit);
    if (!kind)
        return false;
    struct text *done = &redact->done;
    if (hit.takes_before && done->length && !redact->own_tail &&
        redact_value_is_digit64((unsigned char)done->bytes[done->length - 1]))
        text_truncate(done, done->length - 1);
    cut(redact, redact->at + hit.length, kind, final);
    return true;
}

/* The same within a list. The line of a private key that is shorter than those before it is its last. */
static void decide_in_list(struct redact *redact, bool final)
{
    size_t at = redact->at, left = redact->source.length - at;
    const unsigned char *data = source_at(redact, at);
    bool lines = redact->list == REDACT_LINES;
    if (redact_shape_list_ends(redact->list, data, left)) {
        redact->list = REDACT_NO_LIST;
        keep(redact, 1);
        return;
    }
    size_t key = redact_shape_key(redact->list, data, left);
    if (!key) {
        keep(redact, *data == '\\' && left > 1 ? 2 : 1);
        return;
    }
    bool last = lines && redact->list_long && key < REDACT_KEY_LONG;
    redact->list_long |= key >= REDACT_KEY_LONG;
    cut(redact, at + key, lines ? "private-key" : "unseal-key", final);
    if (last)
        redact->list = REDACT_NO_LIST;
}

/* One thing: a secret, or a byte that is none. */
static void decide(struct redact *redact, bool final)
{
    size_t at = redact->at, left = redact->source.length - at;
    const unsigned char *data = source_at(redact, at);
    if (cut_known(redact, final))
        return;
    if (redact->planned_to) {
        if (at == redact->planned_from)
            cut(redact, redact->planned_to, redact->planned_kind, final);
        else
            keep(redact, 1);
        return;
    }
    if (redact->list) {
        decide_in_list(redact, final);
        return;
    }
    struct redact_shape_hit hit = {0};
    struct redact_view view = {data, left < REDACT_SHAPE_REACH ? left : REDACT_SHAPE_REACH, at > 2 ? 2 : at};
    for (size_t i = 0; i < redact->rules->beside_count && !hit.to; i++)
        redact_beside_find(&view, redact->rules->beside[i].key, redact->rules->beside[i].value,
                           redact->rules->beside[i].length, &hit);
    if (!hit.to && (redact->known_only || !redact_shape_find(data, left, at > 2 ? 2 : at, &hit))) {
        keep(redact, 1);
    } else if (hit.list == REDACT_KEYS) {
        keep(redact, hit.from);
        enter_list(redact, hit.list);
    } else if (!hit.from) {
        cut(redact, at + hit.to, hit.kind, final);
        enter_list(redact, hit.list);
    } else {
        redact->planned_from = at + hit.from;
        redact->planned_to = at + hit.to;
        redact->planned_kind = hit.kind;
        keep(redact, 1);
    }
}

/* Whether nothing can begin with this byte, by that and the one before alone: no known value, and none of the
 * shapes that redact_shape_find looks for. */
static bool is_plain(const struct redact *redact, unsigned char before, unsigned char c)
{
    return !redact->rules->place_counts[c] && !redact_is_one_of(c, "\\&%") &&
           !redact_shape_may_begin(before, c);
}

/* Most of what there is: hands out a run of such bytes, none of them behind `end`. false: there is none
 * here. */
static bool keep_plain(struct redact *redact, size_t end)
{
    size_t at = redact->at;
    if (redact->list || redact->planned_to || redact->rules->beside_count || !at)
        return false;
    const unsigned char *data = source_at(redact, 0);
    while (at < end && is_plain(redact, data[at - 1], data[at]))
        at++;
    if (at == redact->at)
        return false;
    keep(redact, at - redact->at);
    return true;
}

/* A line that goes on behind a backslash is decided with the next one, so long as that is not put off without
 * end: a quoter may have broken it within an escape. */
static bool goes_on(const struct redact *redact)
{
    const struct text *source = &redact->source;
    size_t end = source->length;
    while (end > redact->at && strchr("\r\n", source->bytes[end - 1]))
        end--;
    return redact->rules->count && end > redact->at && source->bytes[end - 1] == '\\' &&
           end - redact->at < GOES_ON_MOST;
}

/* All that can be decided. Twice the reach: what overlaps a secret's end has to be seen as well. */
static void work(struct redact *redact, bool final, struct text *out)
{
    size_t needed = final || redact->live ? 1 : 2 * redact->rules->reach;
    if (redact->live && !final && goes_on(redact))
        return;
    while (redact->source.length - redact->at >= needed && (final || !redact->live || !is_open(redact)))
        if (!keep_plain(redact, redact->source.length - needed + 1))
            decide(redact, final);
    const struct text *done = &redact->done;
    size_t hold = !final && done->length &&
                  (!redact->live || redact_value_is_digit64((unsigned char)done->bytes[done->length - 1]));
    if (redact->done.length > hold) {
        text_add_bytes(out, redact->done.bytes, redact->done.length - hold);
        text_drop_front(&redact->done, redact->done.length - hold);
    }
    /* Moved seldom, so that small pieces do not move much often. */
    if (redact->at > 2 && (final || redact->at > 2 * redact->rules->reach)) {
        size_t drop = redact->at - 2;
        text_drop_front(&redact->source, drop);
        redact->at -= drop;
        redact->planned_from -= redact->planned_to ? drop : 0;
        redact->planned_to -= redact->planned_to ? drop : 0;
    }
}

void redact_add(struct redact *redact, const char *bytes, size_t length, struct text *out)
{
    text_add_bytes(&redact->source, bytes, length);
    work(redact, false, out);
}

void redact_end(struct redact *redact, struct text *out)
{
    work(redact, true, out);
}

size_t redact_count(const struct redact *redact)
{
    return redact->count;
}

void redact_add_kinds(const struct redact *redact, struct json *counts)
{
    const char *kind;
    struct json *value;
    for (void *at = NULL; json_each(redact->kinds, &at, &kind, &value);)
        json_set_integer(counts, kind, json_get_integer(counts, kind, 0) + json_integer(value, 0));
}

static size_t all_of(const struct redact_rules *rules, bool known_only, size_t unheard, const char *bytes,
                     size_t length, struct text *out)
{
    struct redact *redact = redact_new(rules);
    redact->known_only = known_only;
    redact->unheard = unheard;
    redact_add(redact, bytes, length, out);
    redact_end(redact, out);
    size_t count = redact_count(redact);
    redact_free(redact);
    return count;
}

size_t redact_text(const struct redact_rules *rules, const char *bytes, size_t length, struct text *out)
{
    return all_of(rules, false, 0, bytes, length, out);
}

size_t redact_text_known(const struct redact_rules *rules, const char *bytes, size_t length, struct text *out)
{
    return all_of(rules, true, 0, bytes, length, out);
}

static int tail_of(const struct redact_rules *rules, bool known_only, const char *path, size_t most,
                   struct text *out, struct error *err)
{
    AUTO_TEXT bytes = TEXT_INIT, clean = TEXT_INIT;
    if (file_read_tail(path, most + (redact_rules_count(rules) ? rules->reach : 0), &bytes, err) < 0)
        return -1;
    /* Of a value whose begin is farther ahead than what was read, the end stands
     * in what is not handed out. */
    all_of(rules, known_only, bytes.length > most ? bytes.length - most : 0, text_string(&bytes),
           bytes.length, &clean);
    size_t drop = clean.length > most ? clean.length - most : 0;
    text_add_bytes(out, text_string(&clean) + drop, clean.length - drop);
    if (bytes.bytes)
        explicit_bzero(bytes.bytes, bytes.room);
    return 0;
}

int redact_tail(const struct redact_rules *rules, const char *path, size_t most, struct text *out,
                struct error *err)
{
    return tail_of(rules, true, path, most, out, err);
}

int redact_tail_unknown(const struct redact_rules *rules, const char *path, size_t most, struct text *out,
                        struct error *err)
{
    return tail_of(rules, false, path, most, out, err);
}
