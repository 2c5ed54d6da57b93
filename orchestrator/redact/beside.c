#include "redact/beside.h"

#include <ctype.h>
#include <string.h>

static bool is_word(unsigned char c)
{
    return isalnum(c) || c == '_';
}

bool redact_beside_find(const struct redact_view *view, const char *key, const char *value, size_t length,
                        struct redact_shape_hit *hit)
{
    size_t at = strlen(key);
    if (!redact_view_has(view, 0, key) || (view->behind && is_word(view->data[-1])))
        return false;
    at += redact_view_quote(view, at);
    at += redact_view_spaces(view, at);
    if (at >= view->length || (view->data[at] != ':' && view->data[at] != '='))
        return false;
    at++;
    at += redact_view_spaces(view, at);
    at += redact_view_quote(view, at);
    if (at + length > view->length || memcmp(view->data + at, value, length) ||
        (at + length < view->length && is_word(view->data[at + length])))
        return false;
    *hit = (struct redact_shape_hit){at, at + length, "vaulted", REDACT_NO_LIST};
    return true;
}
