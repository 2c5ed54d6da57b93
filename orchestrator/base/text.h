/* A growing byte string, always NUL-terminated behind its length (so `bytes` is a C
 * string when it holds no NUL). */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct text {
    char *bytes; /* NULL until something was added */
    size_t length;
    size_t room;
};

#define TEXT_INIT  \
    {              \
        NULL, 0, 0 \
    }
#define AUTO_TEXT __attribute__((cleanup(text_clear))) struct text

void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const void *bytes, size_t length);
void text_addf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_char(struct text *text, char c);
/* Drops the first `count` bytes (all of them when count is larger). */
void text_drop_front(struct text *text, size_t count);
void text_truncate(struct text *text, size_t length);
/* The string, "" when empty; owned by the text. */
const char *text_string(const struct text *text);
/* Hands the string over (malloc'ed, never NULL) and resets the text. */
char *text_take(struct text *text);
void text_clear(struct text *text);

bool text_is(const char *a, const char *b); /* equal; two NULLs are equal */
bool text_starts(const char *string, const char *prefix);
bool text_ends(const char *string, const char *suffix);
/* Whether it is in the NULL-terminated list; NULL and a list that is NULL are not. */
bool text_is_one_of(const char *string, const char *const *list);
/* Whether all bytes form valid UTF-8 without NUL. */
bool text_is_utf8(const char *bytes, size_t length);
/* Edit distance of two short names (both at most 63 bytes count), for "did you mean"; two neighbours that
 * changed places are one edit. */
unsigned text_distance(const char *a, const char *b);
/* The name in the NULL-terminated list nearest to `name`, NULL when none is near: of the longer one, without
 * the parts that both begin with, more than a third differs. */
const char *text_nearest(const char *name, const char *const *names);
/* Writes the string for a terminal or log line: control characters, and what is no UTF-8, as \xNN. */
void text_add_printable(struct text *text, const char *bytes, size_t length);
/* Each line of a message so, with `between` in place of the ends of lines between them; carriage returns
 * before an end of line are part of it. */
void text_add_printable_lines(struct text *text, const char *message, const char *between);
/* Somebody's text as a message shows it: so written, at most 60 bytes of it and then "...". malloc'ed. */
char *text_shown(const char *string);
/* Quotes one word for a POSIX shell ('...' where it is needed). */
void text_add_shell_word(struct text *text, const char *word);
