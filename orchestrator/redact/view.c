#include "redact/view.h"

#include "base/memory.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { SLASHES = 8 };

bool redact_is_one_of(unsigned char c, const char *set)
{
    return c && strchr(set, c) != NULL;
}

bool redact_is_name(unsigned char c)
{
    return isalnum(c) || c == '_' || c == '-';
}

bool redact_is_token(unsigned char c)
{
    return isalnum(c) || redact_is_one_of(c, "._~+/=-");
}

bool redact_view_has(const struct redact_view *view, size_t at, const char *text)
{
    size_t length = strlen(text);
    return at + length <= view->length && !memcmp(view->data + at, text, length);
}

size_t redact_view_slashes(const struct redact_view *view, size_t at)
{
    size_t count = 0;
    while (at + count < view->length && count < SLASHES && view->data[at + count] == '\\')
        count++;
    return count;
}

size_t redact_view_spaces(const struct redact_view *view, size_t at)
{
    size_t count = 0;
    while (at + count < view->length && count < SLASHES &&
           (view->data[at + count] == ' ' || view->data[at + count] == '\t'))
        count++;
    return count;
}

size_t redact_view_quote(const struct redact_view *view, size_t at)
{
    size_t slashes = redact_view_slashes(view, at);
    return at + slashes < view->length &&
                   (view->data[at + slashes] == '"' || view->data[at + slashes] == '\'')
               ? slashes + 1
               : 0;
}

bool redact_is_harmless(const unsigned char *at, size_t length)
{
    static const char *const words[] = {"true", "false",  "null",  "none",      "omit",     "yes",
                                        "no",   "always", "never", "on_create", "undefined"},
                             *const begins[] = {
                                 "{{", "$", "[REDACTED", "<", "VALUE_SPECIFIED_IN_NO_LOG", "NOT_LOGGING_"};
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
