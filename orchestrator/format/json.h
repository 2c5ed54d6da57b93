/* JSON over jansson (the only file that includes it is json.c). A `struct json` is a counted reference:
 * json_free drops one. Readers are forgiving (a wrong type reads as absent), so that hostile input can be
 * looked at without a ladder of checks. */
#pragma once
#include "base/error.h"
#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>

struct json; /* opaque: a json_t */
#define AUTO_JSON __attribute__((cleanup(json_cleanup))) struct json

/* One value that fills the bytes; NULL with an ERROR_PROJECT that says line and column. NUL bytes in
 * strings, duplicate keys and more than 64 levels are refused. */
struct json *json_parse(const char *bytes, size_t length, struct error *err);
struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_new_string(
    const char *text); /* NULL or invalid UTF-8: the printable form; NULL gives null */
struct json *json_new_integer(int64_t value);
struct json *json_new_real(double value); /* not finite: null */
struct json *json_new_bool(bool value);
struct json *json_new_null(void);
struct json *json_keep(struct json *value); /* another reference */
void json_free(struct json *value);         /* NULL is fine */
void json_cleanup(struct json **value);

/* These take over the reference `value`. */
void json_set(struct json *object, const char *key, struct json *value);
void json_append(struct json *array, struct json *value);
/* Frees the items at the front that an array of at most `most` has no room for. */
void json_keep_last(struct json *array, size_t most);
void json_set_string(struct json *object, const char *key, const char *value); /* NULL: null */
void json_set_integer(struct json *object, const char *key, int64_t value);
void json_set_bool(struct json *object, const char *key, bool value);
void json_set_moment(struct json *object, const char *key, int64_t wall_ns); /* RFC 3339; 0: null */
/* Removes a member; of a string the bytes are overwritten first. Fine where there is none, or no object. */
void json_forget(struct json *object, const char *key);

/* Borrowed; NULL when absent, or when `object` is no object (or NULL). */
struct json *json_get(const struct json *object, const char *key);
struct json *json_at(const struct json *array, size_t index);
size_t json_count(const struct json *value); /* items of an array or object, else 0 */
bool json_is_object(const struct json *value);
bool json_is_array(const struct json *value);
bool json_is_string(const struct json *value);
bool json_is_bool(const struct json *value);
bool json_is_null(const struct json *value); /* there, and null */
/* Written without a fraction or an exponent. */
bool json_is_integer(const struct json *value);
/* Of a member: the string (borrowed) or `otherwise`; number or `otherwise` (a real is cut); true only for
 * a true. */
const char *json_get_string(const struct json *object, const char *key, const char *otherwise);
int64_t json_get_integer(const struct json *object, const char *key, int64_t otherwise);
bool json_get_bool(const struct json *object, const char *key);
/* Of a value itself. Macros, because jansson exports functions of these very names, and the linker would
 * mix them up. */
const char *json_value_string(const struct json *value, const char *otherwise);
int64_t json_value_integer(const struct json *value, int64_t otherwise);
double json_value_real(const struct json *value, double otherwise);
#define json_string(value, otherwise)  json_value_string(value, otherwise)
#define json_integer(value, otherwise) json_value_integer(value, otherwise)
#define json_real(value, otherwise)    json_value_real(value, otherwise)
/* Walks an object: start with `void *at = NULL`; 1 with key and value (borrowed), 0 at the end. */
int json_each(const struct json *object, void **at, const char **key, struct json **value);

/* malloc'ed. Compact on one line, or indented by two with keys in the order they were set. */
char *json_compact(const struct json *value);
char *json_pretty(const struct json *value);
