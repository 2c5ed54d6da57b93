#include "config/cloud_rules.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/tailnet_rules.h"
#include "config/text_rules.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

/* Of Hetzner Cloud, whose labels are like those of Kubernetes. */
enum { LABEL_MOST = 63, LABEL_PREFIX_MOST = 253, PORT_MOST = 65535 };
#define LABEL_INSIDE "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

char *cloud_rules_name_problem(const char *text)
{
    char *problem = value_word_problem(text);
    return problem                                   ? problem
           : strpbrk(text, "/?#&%\"'\\<>") || !*text ? value_about(text, "is no name or id at a cloud")
                                                     : NULL;
}

char *cloud_rules_endpoint_problem(const char *text)
{
    static const char *const own[] = {"localhost", "127.0.0.1", "[::1]", NULL};
    char *problem = tailnet_rules_url_problem(text);
    if (problem || !text_starts(text, "http://"))
        return problem;
    const char *authority = text + strlen("http://");
    size_t length = *authority == '[' ? strcspn(authority, "]") + 1 : strcspn(authority, ":/");
    AUTO_FREE char *host = xstrndup(authority, length);
    return text_is_one_of(host, own) ? NULL
                                     : value_about(text, "would send the token in clear: write https://");
}

/* A port at the begin of the text; its digits, 0: there is none. */
static size_t port_length(const char *text, long *out)
{
    size_t digits = strspn(text, "0123456789");
    *out = digits && digits <= 5 ? strtol(text, NULL, 10) : 0;
    return *out >= 1 && *out <= PORT_MOST ? digits : 0;
}

char *cloud_rules_port_problem(const char *text)
{
    static const char *const without[] = {"icmp", "esp", "gre", NULL};
    bool has_ports = text_starts(text, "tcp/") || text_starts(text, "udp/");
    const char *at = has_ports ? text + 4 : "";
    long first = 0, last = 0;
    size_t length = port_length(at, &first);
    bool good = length && !at[length];
    if (length && at[length] == '-') {
        size_t rest = port_length(at + length + 1, &last);
        good = rest && !at[length + 1 + rest] && last >= first;
    }
    return good || text_is_one_of(text, without)
               ? NULL
               : value_about(text, "lets nothing in: write tcp/22, udp/8000-8100, icmp, esp or gre");
}

static bool has_host_bits(const unsigned char *address, int bytes, long prefix)
{
    for (int i = 0; i < bytes; i++) {
        long of_network = prefix - i * 8;
        unsigned mask = of_network >= 8 ? 0 : of_network <= 0 ? 0xff : 0xffU >> of_network;
        if (address[i] & mask)
            return true;
    }
    return false;
}

char *cloud_rules_network_problem(const char *text)
{
    unsigned char address[16];
    size_t length = strcspn(text, "/");
    AUTO_FREE char *host = xstrndup(text, length);
    int family = strchr(host, ':') ? AF_INET6 : AF_INET, bytes = family == AF_INET6 ? 16 : 4;
    const char *prefix = text[length] ? text + length + 1 : "";
    bool has_prefix = *prefix && strlen(prefix) <= 3 && !prefix[strspn(prefix, "0123456789")];
    long bits = has_prefix ? strtol(prefix, NULL, 10) : -1;
    if (inet_pton(family, host, address) != 1 || bits < 0 || bits > bytes * 8)
        return value_about(text, "is no network: write it like 203.0.113.0/24, 203.0.113.7/32 or ::/0");
    return has_host_bits(address, bytes, bits)
               ? value_about(text, "is no network: bits behind its prefix are set (one host is /32, or /128)")
               : NULL;
}

static bool is_label_part(const char *text, size_t length, size_t most)
{
    return length && length <= most && strspn(text, LABEL_INSIDE) >= length &&
           isalnum((unsigned char)text[0]) && isalnum((unsigned char)text[length - 1]);
}

char *cloud_rules_label_problem(const char *name)
{
    const char *slash = strchr(name, '/'), *last = slash ? slash + 1 : name;
    if ((slash && !is_label_part(name, (size_t)(slash - name), LABEL_PREFIX_MOST)) ||
        !is_label_part(last, strlen(last), LABEL_MOST))
        return value_about(name,
                           "is no label: letters, digits, '.', '_' and '-' within, at most 63, behind a "
                           "prefix and '/' at most");
    if (text_starts(name, "triphase-"))
        return value_about(name, "is one of the labels that triphase sets itself");
    return text_starts(name, "hetzner.cloud/") ? value_about(name, "is one of the cloud's own labels") : NULL;
}

char *cloud_rules_label_value_problem(const char *text)
{
    return !*text || is_label_part(text, strlen(text), LABEL_MOST)
               ? NULL
               : value_about(text,
                             "is no label's value: letters, digits, '.', '_' and '-' within, at most 63");
}
