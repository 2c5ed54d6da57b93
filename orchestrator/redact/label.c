#include "redact/label.h"

#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { LONGEST_NAME = 128, TOKEN_LEAST = 16, WORD_LEAST = 4, DOCUMENT_MOST = 16384 };

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

/* One of these is in every name that label_of knows: most names are none, and are passed over by it. */
static bool may_label(const unsigned char *name, size_t length)
{
    static const char *const parts[256] = {
        ['A'] = "authorization", ['a'] = "authorization", ['K'] = "key",    ['k'] = "key",   ['P'] = "pass",
        ['p'] = "pass",          ['S'] = "secret",        ['s'] = "secret", ['T'] = "token", ['t'] = "token"};
    for (size_t i = 0; i < length; i++) {
        const char *part = parts[name[i]];
        if (part && length - i >= strlen(part) && !strncasecmp((const char *)name + i, part, strlen(part)))
            return true;
    }
    return false;
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

/* End of a value that no quote closes. A backslash takes what it escapes along, unless that
 * ends a string or a line. */
static size_t bare_end(const struct redact_view *view, size_t at, bool token)
{
    size_t from = at;
    while (at < view->length && at - from < REDACT_VALUE_MOST) {
        unsigned char c = view->data[at];
        if (c == '\\' && !token) {
            size_t slashes = redact_view_slashes(view, at);
            if (at + slashes >= view->length || redact_is_one_of(view->data[at + slashes], "\"'nrt"))
                break;
            at += slashes;
        } else if (token ? !redact_is_token(c)
                         : isspace(c) || iscntrl(c) || redact_is_one_of(c, "\"'`,;&(){}[]<>\\")) {
            break;
        }
        at++;
    }
    return at;
}

/* End of what stands between this quote and the same again; 0: there is none on this line. */
static size_t quoted_end(const struct redact_view *view, size_t quote, size_t at)
{
    size_t from = at, slashes = redact_view_slashes(view, quote);
    unsigned char mark = view->data[quote + slashes];
    while (at < view->length && at - from < REDACT_VALUE_MOST && view->data[at] != '\n') {
        size_t here = redact_view_slashes(view, at);
        if (at + here < view->length && view->data[at + here] == mark && here <= slashes)
            return at;
        at += here + 1;
    }
    return 0;
}

static bool find_value(const struct redact_view *view, size_t at, enum label label,
                       struct redact_shape_hit *hit)
{
    size_t quote = redact_view_quote(view, at), from = at + quote,
           end = quote ? quoted_end(view, at, from) : 0;
    if (!end)
        end = bare_end(view, from, label == LABEL_TOKEN);
    size_t length = end - from, least = label == LABEL_TOKEN ? TOKEN_LEAST : WORD_LEAST;
    if (length < least || redact_is_harmless(view->data + from, length))
        return false;
    if (label == LABEL_TOKEN && bare_end(view, from, true) < end)
        return false; /* a sentence about tokens */
    *hit = (struct redact_shape_hit){from, end, "labelled", REDACT_NO_LIST};
    return true;
}

/* "Bearer X", "Basic X": the scheme stays. */
static bool find_header(const struct redact_view *view, size_t at, struct redact_shape_hit *hit)
{
    at += redact_view_quote(view, at);
    size_t scheme = at;
    while (scheme < view->length && scheme - at < 32 && redact_is_name(view->data[scheme]))
        scheme++;
    if (scheme > at && scheme < view->length && view->data[scheme] == ' ')
        at = scheme + redact_view_spaces(view, scheme);
    size_t end = at;
    while (end < view->length && end - at < REDACT_VALUE_MOST * 8 &&
           (redact_is_token(view->data[end]) || view->data[end] == ':'))
        end++;
    if (end - at < WORD_LEAST)
        return false;
    *hit = (struct redact_shape_hit){at, end, "authorization", REDACT_NO_LIST};
    return true;
}

/* Where a list begins: [ or, in YAML, - on the next line. 0: it does not. */
static size_t list_at(const struct redact_view *view, size_t at)
{
    for (size_t end = at + 64; at < view->length && at < end; at++) {
        size_t slashes = redact_view_slashes(view, at);
        if (slashes && at + slashes < view->length && redact_is_one_of(view->data[at + slashes], "nrt"))
            at += slashes;
        else if (view->data[at] == '[' || view->data[at] == '-')
            return at + 1;
        else if (!isspace(view->data[at]))
            return 0;
    }
    return 0;
}

/* "Unseal Key 1: X" */
bool redact_label_unseal_key(const struct redact_view *view, struct redact_shape_hit *hit)
{
    static const char words[] = "unseal key";
    size_t at = strlen(words);
    if (view->length < at || strncasecmp((const char *)view->data, words, at))
        return false;
    while (at < view->length && at < 24 &&
           (isalnum(view->data[at]) || redact_is_one_of(view->data[at], " ()")))
        at++;
    if (at >= view->length || (view->data[at] != ':' && view->data[at] != '='))
        return false;
    at += 1 + redact_view_spaces(view, at + 1);
    at += redact_view_quote(view, at);
    size_t end = bare_end(view, at, true);
    if (end - at < TOKEN_LEAST)
        return false;
    *hit = (struct redact_shape_hit){at, end, "unseal-key", REDACT_NO_LIST};
    return true;
}

/* The brace that closes the one at `at`, strings passed over; the line's end where there is none. */
static size_t document_end(const struct redact_view *view, size_t at)
{
    size_t depth = 0, from = at;
    unsigned char quote = 0;
    for (; at < view->length && at - from < DOCUMENT_MOST && view->data[at] != '\n'; at++) {
        unsigned char c = view->data[at];
        if (c == '\\')
            at++;
        else if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '"')
            quote = c;
        else if (c == '{')
            depth++;
        else if (c == '}' && --depth == 0)
            return at + 1;
    }
    return at < view->length ? at : view->length;
}

/* End of KEY=VALUE; a quoted value has its blanks. `from`: there is none. */
static size_t assignment_end(const struct redact_view *view, size_t from)
{
    size_t at = from, equals = 0;
    while (at < view->length && at - from < REDACT_VALUE_MOST && redact_is_name(view->data[at]))
        at++;
    if (at == from || at >= view->length || view->data[at] != '=')
        return from;
    equals = at++;
    size_t quote = redact_view_quote(view, at), end = quote ? quoted_end(view, at, at + quote) : 0;
    if (end)
        return end + redact_view_quote(view, end);
    while (at < view->length && at - equals < REDACT_VALUE_MOST && !isspace(view->data[at]) &&
           !redact_is_one_of(view->data[at], "\"'"))
        at++;
    return at;
}

/* What is handed to Ansible as variables: a document, or one KEY=VALUE behind the other. */
static size_t variables_end(const struct redact_view *view, size_t at)
{
    if (at < view->length && view->data[at] == '{')
        return document_end(view, at);
    size_t end = assignment_end(view, at);
    for (size_t next; end > at; end = next) {
        size_t spaces = redact_view_spaces(view, end);
        next = spaces ? assignment_end(view, end + spaces) : 0;
        if (next <= end + spaces)
            break;
    }
    return end;
}

bool redact_label_option(const struct redact_view *view, struct redact_shape_hit *hit)
{
    size_t dashes = redact_view_has(view, 0, "--") ? 2 : 1, at = dashes;
    char name[LONGEST_NAME + 1] = "";
    while (at < view->length && at - dashes < LONGEST_NAME && redact_is_name(view->data[at])) {
        name[at - dashes] = (char)view->data[at];
        at++;
    }
    bool variables = text_is(name, dashes == 1 ? "e" : "extra-vars");
    if (variables && at < view->length && view->data[at] == '=')
        at++;
    size_t spaces = redact_view_spaces(view, at);
    if (!variables && (dashes == 1 || !spaces))
        return false;
    at += spaces;
    enum label label = variables ? LABEL_NONE : label_of(name);
    if (!variables && label != LABEL_WORD && label != LABEL_TOKEN)
        return false;
    size_t from = at + redact_view_quote(view, at), end = from;
    if (from >= view->length || redact_is_one_of(view->data[from], "-@"))
        return false;
    end = variables ? variables_end(view, from) : bare_end(view, from, false);
    if (end - from < (variables ? 1 : WORD_LEAST) || redact_is_harmless(view->data + from, end - from))
        return false;
    *hit = (struct redact_shape_hit){from, end, variables ? "variables" : "option", REDACT_NO_LIST};
    return true;
}

bool redact_label_find(const struct redact_view *view, struct redact_shape_hit *hit)
{
    size_t at = 0;
    while (at < view->length && at <= LONGEST_NAME && redact_is_name(view->data[at]))
        at++;
    if (at < 4 || at > LONGEST_NAME || at == view->length)
        return false;
    size_t end = at;
    at += redact_view_quote(view, at);
    at += redact_view_spaces(view, at);
    bool says = at < view->length && (view->data[at] == ':' || view->data[at] == '=');
    bool bearer = end == 6 && !strncasecmp((const char *)view->data, "bearer", 6) && view->data[end] == ' ';
    if (!bearer && (!says || !may_label(view->data, end)))
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
            *hit = (struct redact_shape_hit){list, list, "unseal-key", REDACT_KEYS};
        return list != 0;
    }
    at += redact_view_spaces(view, at);
    return label == LABEL_HEADER ? find_header(view, at, hit) : find_value(view, at, label, hit);
}
