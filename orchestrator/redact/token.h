/* What a piece of text stands for, whoever wrote it: a byte for itself; an escape of JSON, Python, C, the
 * shell's $'…' or YAML behind any number of backslashes, folded behind them, between its digits or not (\n \"
 * \xFC \u00fc \U000000fc \303\274, surrogate pairs); an entity of HTML (&quot; &#39;); an end of line, be it
 * U+0085, U+2028 or U+2029, for what a list puts between two lines. And what quoting puts between two
 * characters without standing for any. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { REDACT_TOKENS_MOST = 16 };

struct redact_token {
    unsigned char bytes[4]; /* what it stands for */
    size_t count;           /* of these */
    size_t length;          /* of the text */
    bool noise;
};

/* The ways to read what begins here, without the one that a byte stands for itself; how
 * many. `left` is 1 or more. */
size_t redact_tokens(const unsigned char *at, size_t left, struct redact_token out[REDACT_TOKENS_MOST]);
/* Quotes, backslashes, $, blanks and control characters: what is put in and taken
 * out by quoting and folding. */
bool redact_is_noise(unsigned char c);
bool redact_is_blank(unsigned char c); /* space, tab, ends of lines */
/* Bytes of an end of line beyond ASCII (U+0085, U+2028, U+2029), behind which YAML
 * indents; 0: there is none. */
size_t redact_break(const unsigned char *at, size_t left);
/* %XX: the byte, and its length in the text; 0: it is none. `left` is 1 or more. */
size_t redact_percent(const unsigned char *at, size_t left, unsigned char *byte);
/* An escape or %XX that begins here is cut off by the end of the text. `left` is 1 or more. */
bool redact_token_is_cut(const unsigned char *at, size_t left);
/* The same, or what a list puts between two lines is. */
bool redact_token_is_open(const unsigned char *at, size_t left);
/* Marks what can begin with the %XX there: the byte, what that begins when it is a % again, or an escape. */
void redact_percent_firsts(const unsigned char *at, size_t left, bool firsts[256]);
