#include <jansson.h>
/* Macros of jansson that are functions here. */
#undef json_is_object
#undef json_is_array
#undef json_is_string
#undef json_is_integer
#undef json_is_null

static json_t *real_value(double value)
{
    return json_real(value);
}

static json_t *integer_value(json_int_t value)
{
    return json_integer(value);
}

static json_t *string_value(const char *text)
{
    return json_string(text);
}

#include "format/json.h"

#include "base/memory.h"
#include "base/moment.h"

#include <math.h>
#include <string.h>

enum { DEPTH_LIMIT = 64 };

/* jansson's objects are written to by reference counting alone, so reading through a const struct json is
 * fine. */
static json_t *in(const struct json *value)
{
    return (json_t *)(uintptr_t)value;
}

static struct json *out(json_t *value)
{
    if (!value)
        abort(); /* jansson fails here only for lack of memory */
    return (struct json *)value;
}

/* jansson's own limit (2048 levels) is one of its build; a shallower one keeps every later walk shallow
 * too. */
static bool too_deep(const char *bytes, size_t length)
{
    int depth = 0;
    bool inside = false;
    for (size_t i = 0; i < length; i++) {
        char c = bytes[i];
        if (inside) {
            if (c == '\\')
                i++;
            else if (c == '"')
                inside = false;
        } else if (c == '"') {
            inside = true;
        } else if (c == '[' || c == '{') {
            if (++depth > DEPTH_LIMIT)
                return true;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return false;
}

struct json *json_parse(const char *bytes, size_t length, struct error *err)
{
    json_error_t why;
    if (too_deep(bytes, length)) {
        error_set(err, ERROR_PROJECT, "JSON is nested more than %d levels deep", DEPTH_LIMIT);
        return NULL;
    }
    json_t *value = json_loadb(bytes, length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);
    if (!value) {
        AUTO_TEXT reason = TEXT_INIT; /* it quotes the input */
        text_add_printable(&reason, why.text, strlen(why.text));
        error_set(err, ERROR_PROJECT, "JSON, line %d, column %d: %s", why.line, why.column,
                  text_string(&reason));
    }
    return (struct json *)value;
}

struct json *json_new_object(void)
{
    return out(json_object());
}

struct json *json_new_array(void)
{
    return out(json_array());
}

struct json *json_new_string(const char *text)
{
    if (!text)
        return json_new_null();
    json_t *value = string_value(text);
    if (!value) {
        AUTO_TEXT printable = TEXT_INIT;
        text_add_printable(&printable, text, strlen(text));
        value = string_value(text_string(&printable));
    }
    return out(value);
}

struct json *json_new_integer(int64_t value)
{
    return out(integer_value(value));
}

struct json *json_new_real(double value)
{
    return isfinite(value) ? out(real_value(value)) : json_new_null();
}

struct json *json_new_bool(bool value)
{
    return out(json_boolean(value));
}

struct json *json_new_null(void)
{
    return out(json_null());
}

struct json *json_keep(struct json *value)
{
    return (struct json *)json_incref(in(value));
}

void json_free(struct json *value)
{
    json_decref(in(value));
}

void json_cleanup(struct json **value)
{
    json_free(*value);
}

void json_set(struct json *object, const char *key, struct json *value)
{
    if (json_object_set_new(in(object), key, in(value)) < 0)
        abort(); /* no object, or a key that is no UTF-8: a fault of the program */
}

void json_append(struct json *array, struct json *value)
{
    if (json_array_append_new(in(array), in(value)) < 0)
        abort();
}

void json_keep_last(struct json *array, size_t most)
{
    while (json_count(array) > most)
        json_array_remove(in(array), 0);
}

void json_set_string(struct json *object, const char *key, const char *value)
{
    json_set(object, key, json_new_string(value));
}

void json_set_integer(struct json *object, const char *key, int64_t value)
{
    json_set(object, key, json_new_integer(value));
}

void json_set_bool(struct json *object, const char *key, bool value)
{
    json_set(object, key, json_new_bool(value));
}

void json_set_moment(struct json *object, const char *key, int64_t wall_ns)
{
    AUTO_FREE char *text = wall_ns ? moment_rfc3339(wall_ns) : NULL;
    json_set_string(object, key, text);
}

void json_forget(struct json *object, const char *key)
{
    const json_t *value = json_object_get(in(object), key);
    if (value && json_typeof(value) == JSON_STRING)
        explicit_bzero((char *)(uintptr_t)json_string_value(value), json_string_length(value));
    if (value)
        json_object_del(in(object), key);
}

struct json *json_get(const struct json *object, const char *key)
{
    return (struct json *)json_object_get(in(object), key);
}

struct json *json_at(const struct json *array, size_t index)
{
    return (struct json *)json_array_get(in(array), index);
}

size_t json_count(const struct json *value)
{
    return json_is_array(value) ? json_array_size(in(value)) : json_object_size(in(value));
}

static bool is(const struct json *value, json_type type)
{
    return value && json_typeof(in(value)) == type;
}

bool json_is_object(const struct json *value)
{
    return is(value, JSON_OBJECT);
}

bool json_is_array(const struct json *value)
{
    return is(value, JSON_ARRAY);
}

bool json_is_string(const struct json *value)
{
    return is(value, JSON_STRING);
}

bool json_is_bool(const struct json *value)
{
    return is(value, JSON_TRUE) || is(value, JSON_FALSE);
}

bool json_is_null(const struct json *value)
{
    return is(value, JSON_NULL);
}

bool json_is_integer(const struct json *value)
{
    return is(value, JSON_INTEGER);
}

const char *json_get_string(const struct json *object, const char *key, const char *otherwise)
{
    return json_value_string(json_get(object, key), otherwise);
}

int64_t json_get_integer(const struct json *object, const char *key, int64_t otherwise)
{
    return json_value_integer(json_get(object, key), otherwise);
}

bool json_get_bool(const struct json *object, const char *key)
{
    return is(json_get(object, key), JSON_TRUE);
}

const char *json_value_string(const struct json *value, const char *otherwise)
{
    return json_is_string(value) ? json_string_value(in(value)) : otherwise;
}

int64_t json_value_integer(const struct json *value, int64_t otherwise)
{
    if (is(value, JSON_INTEGER))
        return json_integer_value(in(value));
    if (is(value, JSON_REAL)) {
        double real = json_real_value(in(value));
        /* 2^63 itself is no int64, and every double below it is */
        return real >= -0x1p63 && real < 0x1p63 ? (int64_t)real : otherwise;
    }
    return otherwise;
}

double json_value_real(const struct json *value, double otherwise)
{
    if (is(value, JSON_REAL))
        return json_real_value(in(value));
    return is(value, JSON_INTEGER) ? (double)json_integer_value(in(value)) : otherwise;
}

int json_each(const struct json *object, void **at, const char **key, struct json **value)
{
    void *next = *at ? json_object_iter_next(in(object), *at) : json_object_iter(in(object));
    if (!next)
        return 0;
    *at = next;
    *key = json_object_iter_key(next);
    *value = (struct json *)json_object_iter_value(next);
    return 1;
}

static char *dump(const struct json *value, size_t flags)
{
    char *bytes =
        value ? json_dumps(in(value), flags | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : xstrdup("null");
    if (!bytes)
        abort();
    return bytes;
}

char *json_compact(const struct json *value)
{
    return dump(value, JSON_COMPACT);
}

char *json_pretty(const struct json *value)
{
    return dump(value, JSON_INDENT(2));
}
