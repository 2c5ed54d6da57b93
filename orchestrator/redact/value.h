/* Finding a value that is known as secret, in whatever form programs write it: as it is; escaped
 * (redact/token.h), also within what is escaped; quoted for a shell, for YAML, for JSON, also within what is
 * quoted; folded at its blanks, or behind a backslash; percent-encoded with + for a space; and in base64 at
 * each of the three alignments, also of the URL's alphabet, escaped, percent-encoded, or broken into lines.
 * What quoting adds and takes away (blanks, quotes, backslashes, $, control characters) does not count in it
 * where it has 4 bytes without. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum {
    REDACT_VALUE_LEAST = 4,      /* bytes: a shorter value cannot be told from anything else */
    REDACT_VALUE_EXPANSION = 24, /* no form has more bytes for one of the value's, */
    REDACT_VALUE_SLACK = 512     /* apart from these */
};

struct redact_pattern {
    unsigned char *bytes; /* what must stand there, one behind the other */
    bool *gap;            /* blanks may stand before this one: the value has some there */
    size_t length;
};

/* How a value is looked for: as text, and by the base64 digits that it alone decides at each alignment. */
enum { REDACT_PATTERNS = 4 };

struct redact_value {
    char *kind; /* what stands in its place */
    unsigned char *bytes;
    size_t length;
    struct redact_pattern patterns[REDACT_PATTERNS]; /* the text is the first */
};

struct redact_value_hit {
    size_t length;     /* of the data; 0: it is not there */
    bool takes_before; /* the base64 digit before it holds bits of the value too */
    bool open;         /* not `final`: the data ended within what may become it, or more of it */
};

/* Copies. `length` must be REDACT_VALUE_LEAST or more. */
void redact_value_make(const char *kind, const char *bytes, size_t length, struct redact_value *out);
void redact_value_clear(struct redact_value *value);
/* The bytes that the pattern begins with, as they stand for themselves: one or two, how many. */
size_t redact_value_firsts(const struct redact_value *value, int pattern, unsigned char firsts[2]);
/* Whether the data, which begins with such a byte, can go on like the pattern: a quick look. */
bool redact_value_goes_on(const struct redact_value *value, int pattern, const unsigned char *data,
                          size_t length);
/* Whether the data begins with the pattern. `final`: nothing comes behind `length`: then what was cut off
 * within the value counts, from half of the value on. */
struct redact_value_hit redact_value_find(const struct redact_value *value, int pattern,
                                          const unsigned char *data, size_t length, bool final);
/* Letters, digits, + / - _ */
bool redact_value_is_digit64(unsigned char c);
