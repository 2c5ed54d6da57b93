/* What a target says of its health: the URL that is asked again and again while a run goes on, and what the
 * answer has to be (keys `health.…`). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* How the URL's host is come to. */
enum health_via {
    HEALTH_AUTO,    /* as the transport in use can */
    HEALTH_NETWORK, /* from this machine, as everything else here */
    HEALTH_SSH,     /* from the host itself, through the run's ssh connection */
    HEALTH_PROXY,   /* through the SOCKS5 port of triphase's own tailscaled */
};

/* The words of the key's value, each at its place, ended by NULL; and one of them. */
const char *const *health_via_names(void);
const char *health_via_name(enum health_via via);

/* A whole URL, taken apart. */
struct health_url {
    bool tls;
    char *host; /* "{address}", a name or an address, an IPv6 one without its brackets */
    int port;
    char *path; /* from its slash on, with what follows a '?'; never NULL */
};
/* What is wrong with it (malloc'ed, without the place), else NULL and `out`, which may be NULL. */
char *health_url_read(const char *text, struct health_url *out);
void health_url_clear(struct health_url *url);
/* Whether it names this machine, or the host itself where that is asked. */
bool health_url_is_loopback(const struct health_url *url);

struct health_settings {
    struct health_url url; /* host NULL: the target has no health */
    int *expect, *before;  /* status codes, each ended by 0 */
    int64_t every_ns, within_ns;
    char *ca;          /* absolute path, or NULL: what the machine trusts */
    char *server_name; /* NULL: the URL's host */
    enum health_via via;
    bool required;
};

void health_settings_clear(struct health_settings *settings);
/* Whether the code is one of a list. */
bool health_settings_have(const int *codes, int code);
