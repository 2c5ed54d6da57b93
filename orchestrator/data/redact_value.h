/* Finding a value that is known as secret, in whatever form programs write it: as it is, in JSON and in JSON within JSON (\" \n \u0026 \/, Python's, Go's and
 * jansson's ways), percent-encoded (any set of characters, any case, + for a space), quoted for a shell or for YAML, and in base64 at each of the three
 * alignments, also of the URL's alphabet, percent-encoded, or broken into lines. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum {
    REDACT_VALUE_LEAST = 4,     /* bytes: a shorter value cannot be told from anything else */
    REDACT_VALUE_EXPANSION = 16 /* no form has more bytes for one of the value's */
};

struct redact_value {
    char *kind; /* what stands in its place */
    unsigned char *bytes;
    size_t length;
    char *cores[3]; /* per alignment, the base64 digits that the value alone decides */
};

struct redact_value_hit {
    size_t length;     /* of the data; 0: it is not there */
    bool takes_before; /* the base64 digit before it holds bits of the value too */
};

/* Copies. `length` must be REDACT_VALUE_LEAST or more. */
void redact_value_make(const char *kind, const char *bytes, size_t length, struct redact_value *out);
void redact_value_clear(struct redact_value *value);
/* Marks every pair of bytes (first * 256 + second) with which the value can begin: elsewhere it need not be looked for. */
void redact_value_mark(const struct redact_value *value, unsigned char pairs[65536 / 8]);
/* Whether the data begins with the value. `final`: nothing comes behind `length`: then what was cut off within the value counts, from half of the value on. */
struct redact_value_hit redact_value_find(const struct redact_value *value, const unsigned char *data,
                                          size_t length, bool final);
/* Letters, digits, + / - _ */
bool redact_value_is_digit64(unsigned char c);
