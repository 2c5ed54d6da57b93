#include "config/health_settings.h"

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "config/text_rules.h"

#include <arpa/inet.h>
#include <string.h>

#define ADDRESS         "{address}"
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
enum { HTTP_PORT = 80, HTTPS_PORT = 443, PORT_MOST = 65535 };

const char *const *health_via_names(void)
{
    static const char *const names[] = {[HEALTH_AUTO] = "auto",
                                        [HEALTH_NETWORK] = "network",
                                        [HEALTH_SSH] = "ssh",
                                        [HEALTH_PROXY] = "proxy",
                                        NULL};
    return names;
}

const char *health_via_name(enum health_via via)
{
    return health_via_names()[via];
}

/* The host at the begin of `text`, and what stands behind it; NULL where there is none. */
static char *read_host(const char *text, size_t length, const char **rest)
{
    size_t size;
    if (length >= strlen(ADDRESS) && strncmp(text, ADDRESS, strlen(ADDRESS)) == 0) {
        size = strlen(ADDRESS);
    } else if (length && *text == '[') {
        const char *close = memchr(text, ']', length);
        AUTO_FREE char *address = close ? xstrndup(text + 1, (size_t)(close - text - 1)) : NULL;
        struct in6_addr unused;
        if (!address || inet_pton(AF_INET6, address, &unused) != 1)
            return NULL;
        *rest = close + 1;
        return TAKE(address);
    } else {
        size = strspn(text, NAME_CHARACTERS);
        size = size < length ? size : length;
    }
    *rest = text + size;
    return size && *text != '-' && *text != '.' ? xstrndup(text, size) : NULL;
}

/* Nothing, or a colon and a number. */
static bool read_port(const char *text, const char *end, int *port)
{
    if (text == end)
        return true;
    AUTO_FREE char *digits = *text == ':' ? xstrndup(text + 1, (size_t)(end - text - 1)) : NULL;
    return digits && number_parse_int(digits, 1, PORT_MOST, port, NULL) == 0;
}

char *health_url_read(const char *text, struct health_url *out)
{
    bool tls = text_starts(text, "https://");
    const char *at = tls                            ? text + strlen("https://")
                     : text_starts(text, "http://") ? text + strlen("http://")
                                                    : NULL;
    if (!at || value_has_control(text) || strpbrk(text, " \"'\\<>"))
        return value_about(text, "is no URL: write it like https://{address}:8200/v1/sys/health");
    size_t length = strcspn(at, "/?#");
    if (memchr(at, '@', length)) /* it may be a secret: nothing of it is repeated */
        return xstrdup(
            "there is a user in the URL: a health check that needs a login is none for this, name a "
            "page that needs none");
    if (strchr(at, '#'))
        return value_about(text, "has a fragment ('#'), which no server is sent");
    const char *rest = at;
    int port = tls ? HTTPS_PORT : HTTP_PORT;
    AUTO_FREE char *host = read_host(at, length, &rest);
    if (!host || !read_port(rest, at + length, &port))
        return value_about(text, "names no host and port");
    if (out)
        *out = (struct health_url){.tls = tls,
                                   .host = TAKE(host),
                                   .port = port,
                                   .path = at[length] == '/' ? xstrdup(at + length)
                                                             : xasprintf("/%s", at + length)};
    return NULL;
}

void health_url_clear(struct health_url *url)
{
    free(url->host);
    free(url->path);
    *url = (struct health_url){.host = NULL};
}

bool health_url_is_loopback(const struct health_url *url)
{
    return text_starts(url->host, "127.") || text_is(url->host, "localhost") || text_is(url->host, "::1");
}

void health_settings_clear(struct health_settings *settings)
{
    health_url_clear(&settings->url);
    free(settings->expect);
    free(settings->before);
    free(settings->ca);
    free(settings->server_name);
    *settings = (struct health_settings){.url = {.host = NULL}};
}

bool health_settings_have(const int *codes, int code)
{
    for (; codes && *codes; codes++)
        if (*codes == code)
            return true;
    return false;
}
