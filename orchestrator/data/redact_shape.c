#include "data/redact_shape.h"

#include "base/memory.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
    LONGEST_NAME = 128,
    LONGEST_VALUE = 1024,
    LONGEST_LIST = 4096,
    SLASHES = 8,
    TOKEN_LEAST = 16,
    WORD_LEAST = 4
};

struct view {
    const unsigned char *data;
    size_t length, behind;
};

static bool is_one_of(unsigned char c, const char *set)
{
    return c && strchr(set, c) != NULL;
}

static bool is_name(unsigned char c)
{
    return isalnum(c) || c == '_' || c == '-';
}

/* What tokens are made of. */
static bool is_token(unsigned char c)
{
    return isalnum(c) || is_one_of(c, "._~+/=-");
}

static bool has(const struct view *view, size_t at, const char *text)
{
    size_t length = strlen(text);
    return at + length <= view->length && !memcmp(view->data + at, text, length);
}

/* Nothing that belongs to the same word stands before: its end, or an escaped end of line. */
static bool begins_word(const struct view *view)
{
    if (!view->behind || !isalnum(view->data[-1]))
        return !view->behind || (view->data[-1] != '_' && view->data[-1] != '.');
    return view->behind > 1 && view->data[-2] == '\\' && is_one_of(view->data[-1], "nrt");
}

static size_t slashes_at(const struct view *view, size_t at)
{
    size_t count = 0;
    while (at + count < view->length && count < SLASHES && view->data[at + count] == '\\')
        count++;
    return count;
}

static size_t spaces_at(const struct view *view, size_t at)
{
    size_t count = 0;
    while (at + count < view->length && count < SLASHES &&
           (view->data[at + count] == ' ' || view->data[at + count] == '\t'))
        count++;
    return count;
}

/* A quote, with the backslashes it has within a string. */
static size_t quote_at(const struct view *view, size_t at)
{
    size_t slashes = slashes_at(view, at);
    return at + slashes < view->length &&
                   (view->data[at + slashes] == '"' || view->data[at + slashes] == '\'')
               ? slashes + 1
               : 0;
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
static bool is_url64(unsigned char c)
{
    return is_name(c);
}

static const struct {
    const char *prefix, *kind;
    bool (*is)(unsigned char c);
    size_t least, most;
    bool word; /* a whole word, in both cases: the prefix alone says too little */
} tokens[] = {
    {"hvs.", "vault-token", is_url64, 20, 512, false},
    {"hvb.", "vault-token", is_url64, 20, 512, false},
    {"hvr.", "vault-token", is_url64, 20, 512, false},
    {"s.", "vault-token", is_alnum, 24, 24, true},
    {"b.", "vault-token", is_alnum, 24, 512, true},
    {"r.", "vault-token", is_alnum, 24, 512, true},
    {"tskey-", "tailscale-key", is_name, 10, 256, false},
    {"ghp_", "github-token", is_alnum, 30, 255, false},
    {"gho_", "github-token", is_alnum, 30, 255, false},
    {"ghu_", "github-token", is_alnum, 30, 255, false},
    {"ghs_", "github-token", is_alnum, 30, 255, false},
    {"ghr_", "github-token", is_alnum, 30, 255, false},
    {"github_pat_", "github-token", is_name, 22, 255, false},
    {"glpat-", "gitlab-token", is_name, 20, 255, false},
    {"AKIA", "aws-key", is_upper_or_digit, 16, 16, true},
    {"ASIA", "aws-key", is_upper_or_digit, 16, 16, true},
    {"xoxb-", "slack-token", is_name, 20, 255, false},
    {"xoxp-", "slack-token", is_name, 20, 255, false},
    {"AIza", "google-key", is_name, 35, 35, false},
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

static bool find_token(const struct view *view, struct redact_shape_hit *hit)
{
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        if (!has(view, 0, tokens[i].prefix))
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
        *hit = (struct redact_shape_hit){0, more > at + 4 ? more : at, tokens[i].kind, 0};
        return true;
    }
    return false;
}

/* Three parts of base64, the first two JSON objects. */
static bool find_web_token(const struct view *view, struct redact_shape_hit *hit)
{
    if (!has(view, 0, "eyJ"))
        return false;
    size_t at = 0, dots = 0, part = 0;
    for (; at < view->length && at < 8192; at++) {
        if (is_url64(view->data[at])) {
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
    *hit = (struct redact_shape_hit){0, at, "web-token", 0};
    return true;
}

/* ---- PEM ---- */

static bool is_key_line(const struct view *view, size_t at)
{
    return has(view, at, "PRIVATE KEY-----") || has(view, at, "PRIVATE KEY BLOCK-----");
}

static bool find_pem(const struct view *view, struct redact_shape_hit *hit)
{
    if (!has(view, 0, "-----BEGIN "))
        return false;
    size_t at = strlen("-----BEGIN ");
    while (at < view->length && at < 64 &&
           (isupper(view->data[at]) || isdigit(view->data[at]) || view->data[at] == ' ') &&
           !is_key_line(view, at))
        at++;
    if (!is_key_line(view, at))
        return false;
    at += strlen("PRIVATE KEY");
    while (at < view->length && !has(view, at, "-----"))
        at++;
    at += has(view, at, "-----") ? 5 : 0;
    /* Its end, or where it is cut off: what can be no part of it. */
    for (; at < view->length; at++) {
        unsigned char c = view->data[at];
        if (has(view, at, "-----END ")) {
            size_t end = at + strlen("-----END ");
            while (end < view->length && end < at + 64 &&
                   (isupper(view->data[end]) || view->data[end] == ' '))
                end++;
            at = has(view, end, "-----") ? end + 5 : at;
            break;
        }
        if (c == '\\') {
            size_t slashes = slashes_at(view, at);
            if (at + slashes >= view->length || !is_one_of(view->data[at + slashes], "nrt"))
                break;
            at += slashes;
        } else if (!isalnum(c) && !isspace(c) && !is_one_of(c, "+/=,:-")) {
            break;
        }
    }
    *hit = (struct redact_shape_hit){0, at, "private-key", 0};
    return true;
}

/* ---- behind a label ---- */

enum label { LABEL_NONE, LABEL_WORD, LABEL_TOKEN, LABEL_KEYS, LABEL_HEADER };

static bool contains(const char *name, const char *part)
{
    return strcasestr(name, part) != NULL;
}

static bool ends(const char *name, const char *part)
{
    size_t length = strlen(name), tail = strlen(part);
    return length >= tail && !strcasecmp(name + length - tail, part);
}

static enum label label_of(const char *name)
{
    static const char *const words[] = {"password",    "passwd",     "passphrase", "secret",
                                        "authkey",     "auth_key",   "auth-key",   "apikey",
                                        "api_key",     "api-key",    "access_key", "access-key",
                                        "private_key", "unseal_key", "unseal-key"},
                             *const places[] = {"file",   "path",  "dir",    "name",     "_id",
                                                "length", "count", "shares", "threshold"},
                             *const keys[] = {"keys_b64", "keys_base64", "keys_hex", "unseal_keys",
                                              "recovery_keys"};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (contains(name, keys[i]))
            return LABEL_KEYS;
    if (!strcasecmp(name, "keys"))
        return LABEL_KEYS;
    if (!strcasecmp(name, "authorization") || !strcasecmp(name, "proxy-authorization"))
        return LABEL_HEADER;
    for (size_t i = 0; i < COUNT_OF(places); i++)
        if (ends(name, places[i]))
            return LABEL_NONE;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (contains(name, words[i]))
            return LABEL_WORD;
    return contains(name, "token") ? LABEL_TOKEN : LABEL_NONE;
}

/* What says that it is not the secret itself: a variable, a template, stars, a word of YAML. */
static bool is_harmless(const unsigned char *at, size_t length)
{
    static const char *const words[] = {"true", "false",  "null",  "none",      "omit",     "yes",
                                        "no",   "always", "never", "on_create", "undefined"},
                             *const begins[] = {"{{", "$", "[REDACTED", "<", "VALUE_SPECIFIED_IN_NO_LOG"};
    size_t stars = 0;
    while (stars < length && at[stars] == '*')
        stars++;
    if (stars == length)
        return true;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (length == strlen(words[i]) && !strncasecmp((const char *)at, words[i], length))
            return true;
    for (size_t i = 0; i < COUNT_OF(begins); i++)
        if (length >= strlen(begins[i]) && !memcmp(at, begins[i], strlen(begins[i])))
            return true;
    return false;
}

/* End of a value that no quote closes. A backslash takes what it escapes along, unless that ends a string or a line. */
static size_t bare_end(const struct view *view, size_t at, bool token)
{
    size_t from = at;
    while (at < view->length && at - from < LONGEST_VALUE) {
        unsigned char c = view->data[at];
        if (c == '\\' && !token) {
            size_t slashes = slashes_at(view, at);
            if (at + slashes >= view->length || is_one_of(view->data[at + slashes], "\"'nrt"))
                break;
            at += slashes;
        } else if (token ? !is_token(c) : isspace(c) || iscntrl(c) || is_one_of(c, "\"'`,;&(){}[]<>\\")) {
            break;
        }
        at++;
    }
    return at;
}

/* End of what stands between this quote and the same again; 0: there is none on this line. */
static size_t quoted_end(const struct view *view, size_t quote, size_t at)
{
    size_t from = at, slashes = slashes_at(view, quote);
    unsigned char mark = view->data[quote + slashes];
    while (at < view->length && at - from < LONGEST_VALUE && view->data[at] != '\n') {
        size_t here = slashes_at(view, at);
        if (at + here < view->length && view->data[at + here] == mark && here <= slashes)
            return at;
        at += here + 1;
    }
    return 0;
}

static bool find_value(const struct view *view, size_t at, enum label label, struct redact_shape_hit *hit)
{
    size_t quote = quote_at(view, at), from = at + quote, end = quote ? quoted_end(view, at, from) : 0;
    if (!end)
        end = bare_end(view, from, label == LABEL_TOKEN);
    size_t length = end - from, least = label == LABEL_TOKEN ? TOKEN_LEAST : WORD_LEAST;
    if (length < least || is_harmless(view->data + from, length))
        return false;
    if (label == LABEL_TOKEN && bare_end(view, from, true) < end)
        return false; /* a sentence about tokens */
    *hit = (struct redact_shape_hit){from, end, "labelled", 0};
    return true;
}

/* "Bearer X", "Basic X": the scheme stays. */
static bool find_header(const struct view *view, size_t at, struct redact_shape_hit *hit)
{
    at += quote_at(view, at);
    size_t scheme = at;
    while (scheme < view->length && scheme - at < 32 && is_name(view->data[scheme]))
        scheme++;
    if (scheme > at && scheme < view->length && view->data[scheme] == ' ')
        at = scheme + spaces_at(view, scheme);
    size_t end = at;
    while (end < view->length && end - at < LONGEST_VALUE * 8 &&
           (is_token(view->data[end]) || view->data[end] == ':'))
        end++;
    if (end - at < WORD_LEAST)
        return false;
    *hit = (struct redact_shape_hit){at, end, "authorization", 0};
    return true;
}

/* Where a list begins: [ or, in YAML, - on the next line. 0: it does not. */
static size_t list_at(const struct view *view, size_t at)
{
    for (size_t end = at + 64; at < view->length && at < end; at++) {
        size_t slashes = slashes_at(view, at);
        if (slashes && at + slashes < view->length && is_one_of(view->data[at + slashes], "nrt"))
            at += slashes;
        else if (view->data[at] == '[' || view->data[at] == '-')
            return at + 1;
        else if (!isspace(view->data[at]))
            return 0;
    }
    return 0;
}

/* "Unseal Key 1: X" */
static bool find_unseal_key(const struct view *view, struct redact_shape_hit *hit)
{
    static const char words[] = "unseal key";
    size_t at = strlen(words);
    if (view->length < at || strncasecmp((const char *)view->data, words, at))
        return false;
    while (at < view->length && at < 24 && (isalnum(view->data[at]) || is_one_of(view->data[at], " ()")))
        at++;
    if (at >= view->length || (view->data[at] != ':' && view->data[at] != '='))
        return false;
    at += 1 + spaces_at(view, at + 1);
    at += quote_at(view, at);
    size_t end = bare_end(view, at, true);
    if (end - at < TOKEN_LEAST)
        return false;
    *hit = (struct redact_shape_hit){at, end, "unseal-key", 0};
    return true;
}

static bool find_labelled(const struct view *view, struct redact_shape_hit *hit)
{
    size_t at = 0;
    while (at < view->length && at <= LONGEST_NAME && is_name(view->data[at]))
        at++;
    if (at < 4 || at > LONGEST_NAME || at == view->length)
        return false;
    size_t end = at;
    at += quote_at(view, at);
    at += spaces_at(view, at);
    bool says = at < view->length && (view->data[at] == ':' || view->data[at] == '=');
    bool bearer = end == 6 && !strncasecmp((const char *)view->data, "bearer", 6) && view->data[end] == ' ';
    if (!says && !bearer)
        return false;
    char name[LONGEST_NAME + 1];
    memcpy(name, view->data, end);
    name[end] = '\0';
    enum label label = bearer ? LABEL_TOKEN : label_of(name);
    if (label == LABEL_NONE)
        return false;
    at += says;
    if (label == LABEL_KEYS) {
        size_t list = list_at(view, at);
        if (list)
            *hit = (struct redact_shape_hit){list, list, "unseal-key", LONGEST_LIST};
        return list != 0;
    }
    at += spaces_at(view, at);
    return label == LABEL_HEADER ? find_header(view, at, hit) : find_value(view, at, label, hit);
}

/* ---- URLs ---- */

static bool find_user_info(const struct view *view, struct redact_shape_hit *hit)
{
    size_t colon = 0, sign = 0;
    for (size_t at = 3; at < view->length && at < LONGEST_VALUE; at++) {
        unsigned char c = view->data[at];
        if (c == ':' && !colon)
            colon = at;
        else if (c == '@')
            sign = at;
        else if (isspace(c) || iscntrl(c) || is_one_of(c, "/\"'`<>\\"))
            break;
    }
    if (!colon || sign <= colon + 1 || is_harmless(view->data + colon + 1, sign - colon - 1))
        return false;
    *hit = (struct redact_shape_hit){colon + 1, sign, "url-password", 0};
    return true;
}

struct redact_shape_hit redact_shape_find(const unsigned char *data, size_t length, size_t behind)
{
    struct view view = {data, length < REDACT_SHAPE_REACH ? length : REDACT_SHAPE_REACH, behind};
    struct redact_shape_hit hit = {0};
    if (!view.length)
        return hit;
    unsigned char first = data[0];
    if (first == '-' && find_pem(&view, &hit))
        return hit;
    if (first == ':' && has(&view, 0, "://") && find_user_info(&view, &hit))
        return hit;
    if (!isalpha(first))
        return hit;
    if (is_one_of(first, "hsbrtgxAe") && (find_token(&view, &hit) || find_web_token(&view, &hit)))
        return hit;
    if ((first | 32) == 'u' && find_unseal_key(&view, &hit))
        return hit;
    if (!behind || (!isalnum(data[-1]) && data[-1] != '_'))
        find_labelled(&view, &hit);
    return hit;
}

size_t redact_shape_key(const unsigned char *data, size_t length)
{
    size_t at = 0;
    while (at < length && at < LONGEST_VALUE && is_token(data[at]))
        at++;
    return at >= TOKEN_LEAST ? at : 0;
}
