/* Taking secrets out of a stream of bytes: values that are known (redact/value.h) and what has the shape of
 * one (redact/shape.h). Each is replaced by a marker "[REDACTED kind]", which changes no quoting around it.
 * How the stream is cut into pieces makes no difference: nothing is decided before all that bears on it has
 * come. Where two secrets overlap, all of both goes. */
#pragma once
#include "base/error.h"
#include "base/text.h"
#include "format/json.h"
#include <stdbool.h>
#include <stddef.h>

/* The known values; shared by all streams, and to be complete before the first of them. */
struct redact_rules;
struct redact_rules *redact_rules_new(void);
void redact_rules_free(struct redact_rules *rules);
/* `kind` is what the marker says. A value of several lines is known line by line too. The bytes are copied,
 * and wiped with the rules. false: the value is shorter than REDACT_VALUE_LEAST and was not taken. */
bool redact_rules_add(struct redact_rules *rules, const char *kind, const char *value, size_t length);
/* A value that is a secret only beside its key (redact/beside.h), of any length. */
void redact_rules_add_beside(struct redact_rules *rules, const char *key, const char *value, size_t length);
/* This is a name that stands in the project anyway (of a host, group, role, play, task): a value that is
 * the same, also one that comes to be known later, is from now on known only beside its key, which is
 * the last word of its kind. */
void redact_rules_give_way(struct redact_rules *rules, const char *name, size_t length);
size_t redact_rules_count(const struct redact_rules *rules);

struct redact;
struct redact *redact_new(const struct redact_rules *rules);
/* For whole lines that are shown as they come: by known values alone, and held back is only what may be the
 * begin of one. Values may be added, and give way, between two calls. */
struct redact *redact_new_live(const struct redact_rules *rules);
void redact_free(struct redact *redact);
/* Takes the bytes; what is decided is added to `out`. */
void redact_add(struct redact *redact, const char *bytes, size_t length, struct text *out);
/* The stream's end: all that is left is decided. What was cut off within a known value by it goes too,
 * from half of the value on. */
void redact_end(struct redact *redact, struct text *out);
/* Redactions so far. */
size_t redact_count(const struct redact *redact);
/* Adds this stream's redactions to an object of counts by kind. */
void redact_add_kinds(const struct redact *redact, struct json *counts);
/* All of one text; how many redactions it took. */
size_t redact_text(const struct redact_rules *rules, const char *bytes, size_t length, struct text *out);
/* The same by known values alone. */
size_t redact_text_known(const struct redact_rules *rules, const char *bytes, size_t length,
                         struct text *out);
/* The end of a file, at most `most` bytes without the known values: a value that began
 * before is none of it either. */
int redact_tail(const struct redact_rules *rules, const char *path, size_t most, struct text *out,
                struct error *err);
/* The same, and what has the shape of a secret: for whoever does not know all values. */
int redact_tail_unknown(const struct redact_rules *rules, const char *path, size_t most, struct text *out,
                        struct error *err);
