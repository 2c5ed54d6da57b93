#include "config/tailnet_rules.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/text_rules.h"

#include <ctype.h>
#include <string.h>

#define LETTERS_DIGITS_DASH "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
enum { LABEL_LIMIT = 63, PORT_DIGITS = 5 };

char *tailnet_rules_tag_problem(const char *text)
{
    const char *name = text_starts(text, "tag:") ? text + 4 : "";
    bool good = isalpha((unsigned char)*name) && !name[strspn(name, LETTERS_DIGITS_DASH)] &&
                strlen(name) <= LABEL_LIMIT;
    return good ? NULL
                : value_about(text, "is no tag: write it like tag:server, a letter, then letters, digits and "
                                    "dashes");
}

char *tailnet_rules_hostname_problem(const char *text)
{
    size_t length = strlen(text);
    bool good = length && length <= LABEL_LIMIT && !text[strspn(text, LETTERS_DIGITS_DASH)] && *text != '-' &&
                text[length - 1] != '-';
    return good ? NULL
                : value_about(text, "is no name of a device: letters, digits and dashes within, at most 63");
}

char *tailnet_rules_tailnet_problem(const char *text)
{
    bool good = *text && !value_has_control(text) && !strpbrk(text, " /?#\"'\\<>");
    return good
               ? NULL
               : value_about(text, "is no name of a tailnet: write what 'tailscale status --json' says under "
                                   "CurrentTailnet, like example.com");
}

/* Of what stands between the scheme and the path. */
static bool is_authority(const char *text, size_t length)
{
    const char *end = text + length, *port = NULL;
    if (length && *text == '[') { /* an IPv6 address */
        const char *close = memchr(text, ']', length);
        if (!close || close == text + 1 ||
            strspn(text + 1, "0123456789abcdefABCDEF:.") != (size_t)(close - text - 1))
            return false;
        port = close + 1;
    } else {
        size_t name = strspn(text, LETTERS_DIGITS_DASH "._");
        port = text + (name < length ? name : length);
        if (port == text || *text == '-' || *text == '.')
            return false;
    }
    if (port == end)
        return true;
    size_t digits = strspn(port + 1, "0123456789");
    return *port == ':' && digits && digits <= PORT_DIGITS && port + 1 + digits == end;
}

char *tailnet_rules_url_problem(const char *text)
{
    const char *rest = text_starts(text, "https://")  ? text + 8
                       : text_starts(text, "http://") ? text + 7
                                                      : NULL;
    if (!rest || value_has_control(text))
        return value_about(text, "is no URL: write it like https://headscale.example.org");
    if (strpbrk(text, " ?#\"'\\<>") || strchr(rest, '@'))
        return value_about(text, "is no plain URL: no user, query, fragment, blank or quote may be in it");
    return is_authority(rest, strcspn(rest, "/")) ? NULL : value_about(text, "names no host and port");
}
