#include "redact/shape.h"

#include "base/memory.h"
#include "redact/label.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define END_LINE "-----END "

/* What a byte can begin, or stand before: most of what is looked at begins nothing and is told by this. */
enum {
    SIGN = 1,   /* of a private key, an option, a URL */
    WORD = 2,   /* of a word: no label begins behind it */
    LETTER = 4, /* of a label, where it begins a word */
    TOKEN = 8,  /* of a token that says what it is, wherever it stands */
    UNSEAL = 16,
};
static const unsigned char begins[256] = {
    ['-'] = SIGN,
    [':'] = SIGN,
    ['_'] = WORD,
    ['0' ... '9'] = WORD,
    ['A'] = WORD | LETTER | TOKEN,
    ['B' ... 'T'] = WORD | LETTER,
    ['U'] = WORD | LETTER | UNSEAL,
    ['V' ... 'Z'] = WORD | LETTER,
    ['a'] = WORD | LETTER,
    ['b'] = WORD | LETTER | TOKEN,
    ['c' ... 'd'] = WORD | LETTER,
    ['e'] = WORD | LETTER | TOKEN,
    ['f'] = WORD | LETTER,
    ['g' ... 'h'] = WORD | LETTER | TOKEN,
    ['i' ... 'q'] = WORD | LETTER,
    ['r' ... 't'] = WORD | LETTER | TOKEN,
    ['u'] = WORD | LETTER | UNSEAL,
    ['v' ... 'w'] = WORD | LETTER,
    ['x'] = WORD | LETTER | TOKEN,
    ['y' ... 'z'] = WORD | LETTER,
};

/* Nothing that belongs to the same word stands before: its end, or an escaped end of line. */
static bool begins_word(const struct redact_view *view)
{
    if (!view->behind || !isalnum(view->data[-1]))
        return !view->behind || (view->data[-1] != '_' && view->data[-1] != '.');
    return view->behind > 1 && view->data[-2] == '\\' && redact_is_one_of(view->data[-1], "nrt");
}

/* ---- tokens that say what they are ---- */

static bool is_upper_or_digit(unsigned char c)
{
    return isupper(c) || isdigit(c);
}
static bool is_alnum(unsigned char c)
{
    return isalnum(c);
}
static const struct {
    const char *prefix, *kind;
    bool (*is)(unsigned char c);
    size_t least, most;
    bool word; /* a whole word, in both cases: the prefix alone says too little */
} tokens[] = {
    {"hvs.", "vault-token", redact_is_name, 20, 512, false},
    {"hvb.", "vault-token", redact_is_name, 20, 512, false},
    {"hvr.", "vault-token", redact_is_name, 20, 512, false},
    {"s.", "vault-token", is_alnum, 24, 24, true},
    {"b.", "vault-token", is_alnum, 24, 512, true},
    {"r.", "vault-token", is_alnum, 24, 512, true},
    {"tskey-", "tailscale-key", redact_is_name, 10, 256, false},
    {"hskey-", "headscale-key", redact_is_name, 10, 256, false},
    {"ghp_", "github-token", is_alnum, 30, 255, false},
    {"gho_", "github-token", is_alnum, 30, 255, false},
    {"ghu_", "github-token", is_alnum, 30, 255, false},
    {"ghs_", "github-token", is_alnum, 30, 255, false},
    {"ghr_", "github-token", is_alnum, 30, 255, false},
    {"github_pat_", "github-token", redact_is_name, 22, 255, false},
    {"glpat-", "gitlab-token", redact_is_name, 20, 255, false},
    {"AKIA", "aws-key", is_upper_or_digit, 16, 16, true},
    {"ASIA", "aws-key", is_upper_or_digit, 16, 16, true},
    {"xoxb-", "slack-token", redact_is_name, 20, 255, false},
    {"xoxp-", "slack-token", redact_is_name, 20, 255, false},
    {"AIza", "google-key", redact_is_name, 35, 35, false},
};

static bool mixes_cases(const unsigned char *at, size_t length)
{
    bool upper = false, lower = false;
    for (size_t i = 0; i < length; i++) {
        upper |= isupper(at[i]) != 0;
        lower |= islower(at[i]) != 0;
    }
    return upper && lower;
}

static bool find_token(const struct redact_view *view, struct redact_shape_hit *hit)
{
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        if (view->data[0] != (unsigned char)tokens[i].prefix[0] ||
            !redact_view_has(view, 0, tokens[i].prefix))
            continue;
        size_t from = strlen(tokens[i].prefix), at = from;
        while (at < view->length && at - from < tokens[i].most && tokens[i].is(view->data[at]))
            at++;
        bool dotted = tokens[i].prefix[1] == '.';
        if (at - from < tokens[i].least ||
            (tokens[i].word && (!begins_word(view) || (at < view->length && tokens[i].is(view->data[at])) ||
                                (dotted && !mixes_cases(view->data + from, at - from)))))
            continue;
        /* The namespace of a Vault token. */
        size_t more = at;
        if (dotted && at < view->length && view->data[at] == '.')
            for (more = at + 1; more < view->length && more - at < 32 && isalnum(view->data[more]);)
                more++;
        *hit = (struct redact_shape_hit){0, more > at + 4 ? more : at, tokens[i].kind, REDACT_NO_LIST};
        return true;
    }
    return false;
}

/* Three parts of base64, the first two JSON objects. */
static bool find_web_token(const struct redact_view *view, struct redact_shape_hit *hit)
{
    if (!redact_view_has(view, 0, "eyJ"))
        return false;
    size_t at = 0, dots = 0, part = 0;
    for (; at < view->length && at < 8192; at++) {
        if (redact_is_name(view->data[at])) {
            part++;
        } else if (view->data[at] == '.' && dots < 2 && part >= 10) {
            dots++;
            part = 0;
        } else {
            break;
        }
    }
    if (dots < 2 || part < 10)
        return false;
    *hit = (struct redact_shape_hit){0, at, "web-token", REDACT_NO_LIST};
    return true;
}

/* ---- PEM ---- */

static bool is_key_line(const struct redact_view *view, size_t at)
{
    return redact_view_has(view, at, "PRIVATE KEY-----") ||
           redact_view_has(view, at, "PRIVATE KEY BLOCK-----");
}

static bool find_pem(const struct redact_view *view, struct redact_shape_hit *hit)
{
    if (!redact_view_has(view, 0, "-----BEGIN "))
        return false;
    size_t at = strlen("-----BEGIN ");
    while (at < view->length && at < 64 &&
           (isupper(view->data[at]) || isdigit(view->data[at]) || view->data[at] == ' ') &&
           !is_key_line(view, at))
        at++;
    if (!is_key_line(view, at))
        return false;
    at += strlen("PRIVATE KEY");
    while (at < view->length && !redact_view_has(view, at, "-----"))
        at++;
    at += redact_view_has(view, at, "-----") ? 5 : 0;
    size_t head = at;
    /* All of it where nothing else stands in it; else line by line. */
    for (; at < view->length; at++) {
        unsigned char c = view->data[at];
        if (redact_view_has(view, at, END_LINE)) {
            size_t end = at + strlen(END_LINE);
            while (end < view->length && end < at + 64 &&
                   (isupper(view->data[end]) || view->data[end] == ' '))
                end++;
            *hit = (struct redact_shape_hit){0, redact_view_has(view, end, "-----") ? end + 5 : at,
                                             "private-key", REDACT_NO_LIST};
            return true;
        }
        if (c == '\\') {
            size_t slashes = redact_view_slashes(view, at);
            if (at + slashes >= view->length || !redact_is_one_of(view->data[at + slashes], "nrt"))
                break;
            at += slashes;
        } else if (!isalnum(c) && !isspace(c) && !redact_is_one_of(c, "+/=,:-")) {
            break;
        }
    }
    *hit = (struct redact_shape_hit){0, head, "private-key", REDACT_LINES};
    return true;
}

/* ---- URLs ---- */

static bool find_user_info(const struct redact_view *view, struct redact_shape_hit *hit)
{
    size_t colon = 0, sign = 0;
    for (size_t at = 3; at < view->length && at < REDACT_VALUE_MOST; at++) {
        unsigned char c = view->data[at];
        if (c == ':' && !colon)
            colon = at;
        else if (c == '@')
            sign = at;
        else if (isspace(c) || iscntrl(c) || redact_is_one_of(c, "/\"'`<>\\"))
            break;
    }
    if (!colon || sign <= colon + 1 || redact_is_harmless(view->data + colon + 1, sign - colon - 1))
        return false;
    *hit = (struct redact_shape_hit){colon + 1, sign, "url-password", REDACT_NO_LIST};
    return true;
}

bool redact_shape_may_begin(unsigned char before, unsigned char c)
{
    return begins[c] & (SIGN | TOKEN | UNSEAL) || (begins[c] & LETTER && !(begins[before] & WORD));
}

bool redact_shape_find(const unsigned char *data, size_t length, size_t behind, struct redact_shape_hit *hit)
{
    struct redact_view view = {data, length < REDACT_SHAPE_REACH ? length : REDACT_SHAPE_REACH, behind};
    if (!view.length)
        return false;
    unsigned char first = data[0], before = behind ? data[-1] : ' ';
    if (!redact_shape_may_begin(before, first))
        return false;
    if (first == '-')
        return find_pem(&view, hit) ||
               (!(begins[before] & WORD) && before != '-' && redact_label_option(&view, hit));
    if (first == ':')
        return redact_view_has(&view, 0, "://") && find_user_info(&view, hit);
    if (begins[first] & TOKEN && (find_token(&view, hit) || find_web_token(&view, hit)))
        return true;
    if (begins[first] & UNSEAL && redact_label_unseal_key(&view, hit))
        return true;
    return !(begins[before] & WORD) && redact_label_find(&view, hit);
}

size_t redact_shape_key(enum redact_shape_list list, const unsigned char *data, size_t length)
{
    size_t at = 0;
    while (at < length && at < REDACT_VALUE_MOST && redact_is_token(data[at]))
        at++;
    bool ends_line = at && (at == length || data[at] == '\n' || data[at] == '\r' ||
                            (data[at] == '\\' && at + 1 < length && redact_is_one_of(data[at + 1], "\\nr")));
    return at >= REDACT_KEY_LONG || (list == REDACT_LINES && ends_line) ? at : 0;
}

bool redact_shape_list_ends(enum redact_shape_list list, const unsigned char *data, size_t length)
{
    if (list == REDACT_KEYS)
        return *data == ']' || *data == '}';
    return length >= strlen(END_LINE) && !memcmp(data, END_LINE, strlen(END_LINE));
}
