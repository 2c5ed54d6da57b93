/* The bytes that a shape is looked for in, and the small questions that shapes are made of. Nothing is
 * looked at behind `length`. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct redact_view {
    const unsigned char *data;
    size_t length, behind; /* behind: bytes that can be read before data[0] */
};

/* What a shape has found. */
struct redact_shape_hit {
    size_t from, to;  /* offsets of what is to go; `to` 0: nothing was found */
    const char *kind; /* static */
    enum redact_shape_list {
        REDACT_NO_LIST,
        REDACT_KEYS, /* a list of keys begins at `from`: what is long in it goes */
        /* a private key begins behind `to`, with something else between its lines (a journal's columns): what
         * is long, and what ends a line */
        REDACT_LINES,
    } list;
};

bool redact_is_one_of(unsigned char c, const char *set);
bool redact_is_name(unsigned char c);  /* letters, digits, _ - */
bool redact_is_token(unsigned char c); /* what tokens are made of */
bool redact_view_has(const struct redact_view *view, size_t at, const char *text);
/* How many backslashes, spaces (and tabs) stand there; at most 8. */
size_t redact_view_slashes(const struct redact_view *view, size_t at);
size_t redact_view_spaces(const struct redact_view *view, size_t at);
/* Length of a quote, with the backslashes it has within a string; 0: there is none. */
size_t redact_view_quote(const struct redact_view *view, size_t at);
/* What says that it is not the secret itself: a variable, a template, stars, a word of YAML. */
bool redact_is_harmless(const unsigned char *at, size_t length);
