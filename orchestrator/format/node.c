#include "format/node.h"

#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

void node_free(struct node *node)
{
    if (!node)
        return;
    for (size_t i = 0; i < node->count; i++) {
        node_free(node->items[i]);
        if (node->keys)
            free(node->keys[i]);
    }
    free(node->items);
    free(node->keys);
    free(node->where);
    free(node->text);
    free(node);
}

void node_cleanup(struct node **node)
{
    node_free(*node);
    *node = NULL;
}

struct node *node_new(enum node_kind kind)
{
    struct node *node = xcalloc(1, sizeof *node);
    node->kind = kind;
    return node;
}

struct node *node_new_string(const char *text)
{
    struct node *node = node_new(NODE_STRING);
    node->text = xstrdup(text);
    return node;
}

struct node *node_new_map(void)
{
    return node_new(NODE_MAP);
}

/* Digits of a base and underscores, at least one digit; copies the digits without underscores. */
static bool digits_of(const char *at, int base, struct text *out)
{
    static const char digits[] = "0123456789abcdef";
    size_t seen = 0;
    for (; *at; at++) {
        if (*at == '_')
            continue;
        const char *digit = strchr(digits, tolower((unsigned char)*at));
        if (!digit || digit - digits >= base)
            return false;
        text_add_char(out, *at);
        seen++;
    }
    return seen > 0;
}

/* Base 60, which YAML 1.1 has for times: `1:30` is 90. */
static bool read_sixties(const char *at, int64_t *out)
{
    int64_t total = 0;
    size_t groups = 0;
    if (*at == '0' || !isdigit((unsigned char)*at))
        return false;
    for (;; at++) {
        int64_t group = 0;
        size_t length = 0;
        for (; isdigit((unsigned char)*at) || (groups == 0 && *at == '_'); at++, length++) {
            if (group > INT64_MAX / 1000)
                return false;
            if (*at != '_')
                group = group * 10 + (*at - '0');
        }
        if (!length || (groups && (group > 59 || length > 2)) || total > INT64_MAX / 1000)
            return false;
        total = total * 60 + group;
        groups++;
        if (*at != ':')
            break;
    }
    if (*at || groups < 2)
        return false;
    *out = total;
    return true;
}

static bool read_integer(const char *text, struct node *node)
{
    const char *at = text;
    bool negative = *at == '-';
    if (*at == '-' || *at == '+')
        at++;
    int base = 10;
    if (at[0] == '0' && at[1] == 'b')
        base = 2, at += 2;
    else if (at[0] == '0' && at[1] == 'x')
        base = 16, at += 2;
    else if (at[0] == '0' && at[1])
        base = 8, at += 1;
    else if (!isdigit((unsigned char)*at))
        return false;
    AUTO_TEXT digits = TEXT_INIT;
    int64_t sixties = 0;
    if (digits_of(at, base, &digits)) {
        errno = 0;
        unsigned long long value = strtoull(text_string(&digits), NULL, base);
        if (errno == ERANGE || value > (unsigned long long)INT64_MAX) {
            node->kind = NODE_REAL;
            node->real = strtod(text_string(&digits), NULL) * (negative ? -1 : 1);
            return true;
        }
        sixties = (int64_t)value;
    } else if (base != 10 || !read_sixties(at, &sixties)) {
        return false;
    }
    node->kind = NODE_INTEGER;
    node->integer = negative ? -sixties : sixties;
    return true;
}

static bool read_real(const char *text, struct node *node)
{
    static const char *const infinite[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nan_words[] = {".nan", ".NaN", ".NAN", NULL};
    const char *at = text;
    double sign = *at == '-' ? -1 : 1;
    if (*at == '-' || *at == '+')
        at++;
    if (text_is_one_of(at, infinite) || text_is_one_of(text, nan_words)) {
        node->kind = NODE_REAL;
        node->real = *text == '.' && strchr("nN", text[1]) ? (double)NAN : sign * (double)INFINITY;
        return true;
    }
    AUTO_TEXT digits = TEXT_INIT;
    size_t before = 0, after = 0;
    for (; isdigit((unsigned char)*at) || (*at == '_' && before); at++)
        if (*at != '_')
            text_add_char(&digits, *at), before++;
    if (*at != '.')
        return false;
    text_add_char(&digits, *at++);
    for (; isdigit((unsigned char)*at) || *at == '_'; at++)
        if (*at != '_')
            text_add_char(&digits, *at), after++;
    if (!before && !after)
        return false;
    if (*at == 'e' || *at == 'E') {
        if ((at[1] != '-' && at[1] != '+') || !isdigit((unsigned char)at[2]))
            return false;
        text_add(&digits, at);
        for (at += 2; isdigit((unsigned char)*at);)
            at++;
    }
    if (*at)
        return false;
    node->kind = NODE_REAL;
    node->real = sign * strtod(text_string(&digits), NULL);
    return true;
}

struct node *node_new_plain(const char *text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", NULL};
    static const char *const no[] = {"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", NULL};
    struct node *node = node_new_string(text);
    if (text_is_one_of(text, nulls)) {
        node->kind = NODE_NULL;
    } else if (text_is_one_of(text, yes) || text_is_one_of(text, no)) {
        node->kind = NODE_BOOL;
        node->boolean = text_is_one_of(text, yes);
    } else if (!read_integer(text, node)) {
        read_real(text, node);
    }
    return node;
}

struct node *node_copy(const struct node *node)
{
    if (!node)
        return NULL;
    struct node *copy = node_new(node->kind);
    *copy = *node;
    copy->text = xstrdup_or_null(node->text);
    copy->items = NULL;
    copy->keys = NULL;
    copy->where = NULL;
    copy->count = 0;
    for (size_t i = 0; i < node->count; i++) {
        if (node->kind == NODE_MAP)
            node_append_key(copy, node->keys[i], node->where[i], node_copy(node->items[i]));
        else
            node_append(copy, node_copy(node->items[i]));
    }
    return copy;
}

size_t node_size(const struct node *node)
{
    size_t size = 1;
    for (size_t i = 0; i < node->count; i++)
        size += node_size(node->items[i]) + (node->kind == NODE_MAP);
    return size;
}

struct node *node_get(const struct node *map, const char *key)
{
    if (!map || map->kind != NODE_MAP)
        return NULL;
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->keys[i], key) == 0)
            return map->items[i];
    return NULL;
}

/* The room is the next power of two, so that it needs no field of its own. */
static bool is_full(size_t count)
{
    return (count & (count - 1)) == 0;
}

void node_append(struct node *list, struct node *item)
{
    if (is_full(list->count))
        list->items = xreallocarray(list->items, list->count ? list->count * 2 : 1, sizeof *list->items);
    list->items[list->count++] = item;
}

void node_append_key(struct node *map, const char *key, struct node_place where, struct node *value)
{
    if (is_full(map->count)) {
        size_t room = map->count ? map->count * 2 : 1;
        map->keys = xreallocarray(map->keys, room, sizeof *map->keys);
        map->where = xreallocarray(map->where, room, sizeof *map->where);
    }
    map->keys[map->count] = xstrdup(key);
    map->where[map->count] = where;
    node_append(map, value);
}

void node_set(struct node *map, const char *key, struct node *value)
{
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->keys[i], key) == 0) {
            node_free(map->items[i]);
            map->items[i] = value;
            return;
        }
    }
    node_append_key(map, key, (struct node_place){0, 0}, value);
}

bool node_is_scalar(const struct node *node)
{
    return node->kind != NODE_LIST && node->kind != NODE_MAP;
}

const char *node_kind_name(enum node_kind kind)
{
    switch (kind) {
    case NODE_NULL:
        return "nothing";
    case NODE_BOOL:
        return "true or false";
    case NODE_INTEGER:
        return "a whole number";
    case NODE_REAL:
        return "a number";
    case NODE_STRING:
        return "text";
    case NODE_LIST:
        return "a list";
    case NODE_MAP:
        return "a map";
    }
    return "nothing";
}

bool node_text_is_plain(const char *text)
{
    static const char inside[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@+-";
    static const char *const short_bools[] = {"y", "Y", "n", "N", NULL};
    if (!isalnum((unsigned char)text[0]) && text[0] != '_' && text[0] != '/')
        return false;
    if (text[strspn(text, inside)] || text_is_one_of(text, short_bools))
        return false;
    if (isdigit((unsigned char)text[0])) {
        /* What some reader takes for a number or a date: 1e5, 0o17, 2024-01-02. */
        char *end = NULL;
        strtod(text, &end);
        if (!*end || text[1] == 'o' || (strspn(text, "0123456789") == 4 && text[4] == '-'))
            return false;
    }
    AUTO_NODE *read = node_new_plain(text);
    return read->kind == NODE_STRING;
}

static void add_quoted(struct text *out, const char *text)
{
    text_add_char(out, '"');
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\')
            text_addf(out, "\\%c", *at);
        else if (*at == '\n')
            text_add(out, "\\n");
        else if (*at < 0x20 || *at == 0x7f)
            text_addf(out, "\\x%02x", *at);
        else if (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) /* C1 controls: some terminals act on them */
            text_addf(out, "\\x%02x", *++at);
        else if (strncmp((const char *)at, "\xe2\x80", 2) == 0 &&
                 (at[2] == 0xa8 || at[2] == 0xa9)) /* line breaks in YAML 1.1 */
            text_addf(out, "\\u20%s", at[2] == 0xa8 ? "28" : "29"), at += 2;
        else if (strncmp((const char *)at, "\xef\xbb", 2) == 0 && at[2] == 0xbf) /* a byte order mark */
            text_add(out, "\\ufeff"), at += 2;
        else
            text_add_char(out, (char)*at);
    }
    text_add_char(out, '"');
}

static void add_text(struct text *out, const char *text)
{
    if (node_text_is_plain(text))
        text_add(out, text);
    else
        add_quoted(out, text);
}

static void add_flow(struct text *out, const struct node *node)
{
    switch (node->kind) {
    case NODE_NULL:
        text_add(out, "null");
        break;
    case NODE_BOOL:
        text_add(out, node->boolean ? "true" : "false");
        break;
    case NODE_INTEGER:
    case NODE_REAL:
        text_add(out, node->text);
        break;
    case NODE_STRING:
        if (node->tag)
            text_addf(out, "%s ", node->tag);
        add_text(out, node->text);
        break;
    case NODE_LIST:
    case NODE_MAP:
        text_add_char(out, node->kind == NODE_LIST ? '[' : '{');
        for (size_t i = 0; i < node->count; i++) {
            text_add(out, i ? ", " : "");
            if (node->kind == NODE_MAP) {
                add_text(out, node->keys[i]);
                text_add(out, ": ");
            }
            add_flow(out, node->items[i]);
        }
        text_add_char(out, node->kind == NODE_LIST ? ']' : '}');
        break;
    }
}

char *node_flow(const struct node *node)
{
    AUTO_TEXT out = TEXT_INIT;
    add_flow(&out, node);
    return text_take(&out);
}
