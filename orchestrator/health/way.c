#include "health/way.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/tailnet_place.h"
#include "config/transport_kind.h"

#include <string.h>
#include <strings.h>

/* Of the transport in use; before there is one, of the first that a machine with a device of its own has,
 * else directly. */
static enum transport_kind kind_of(const struct target *target, const struct machine *machine,
                                   const char *transport)
{
    enum transport_kind kind = TRANSPORT_DIRECT;
    bool joined = json_get_string(machine->tailnet, "address", NULL) != NULL;
    if (transport)
        (void)transport_from(transport, &kind);
    else if ((joined || !target->joins_tailnet) && target->transports.count)
        (void)transport_from(target->transports.items[0], &kind);
    return kind;
}

/* Whether ssh is led to the host by another one, or by a program: then nothing else leads there as surely. */
static bool is_led(const struct machine *machine)
{
    bool led = machine->jump != NULL;
    for (size_t i = 0; i < machine->ssh_options.count; i++)
        led |= strncasecmp(machine->ssh_options.items[i], "Proxy", strlen("Proxy")) == 0;
    return led;
}

static enum health_via choose(const struct target *target, const struct machine *machine,
                              enum transport_kind kind, int port)
{
    if (target->health.via != HEALTH_AUTO)
        return target->health.via;
    if (health_url_is_loopback(&target->health.url) || (kind == TRANSPORT_DIRECT && is_led(machine)))
        return HEALTH_SSH;
    if (kind != TRANSPORT_TAILNET_USERSPACE)
        return HEALTH_NETWORK;
    return port ? HEALTH_PROXY : HEALTH_SSH;
}

int health_way_find(const struct target *target, const struct machine *machine, const char *transport,
                    const char *control_path, struct health_way *out, char **why)
{
    const struct health_url *url = &target->health.url;
    enum transport_kind kind = kind_of(target, machine, transport);
    bool is_address = text_is(url->host, "{address}");
    int port = tailnet_place_running_socks5();
    enum health_via via = choose(target, machine, kind, port);
    const char *host = is_address ? machine_address(machine, kind) : url->host;
    if (!host)
        *why = xstrdup("the host's address is not known yet");
    else if (via == HEALTH_SSH && !control_path)
        *why = xstrdup("there is no ssh connection to the host at the moment");
    else if (via == HEALTH_PROXY && !port)
        *why = xstrdup(
            "triphase's own tailscaled is not running, or has no SOCKS5 port: 'triphase up' starts one "
            "with it");
    if (!host || (via == HEALTH_SSH && !control_path) || (via == HEALTH_PROXY && !port))
        return 1;
    *out = (struct health_way){.via = via,
                               .host = xstrdup(host),
                               .port = url->port,
                               .proxy = via == HEALTH_PROXY ? xasprintf("socks5h://127.0.0.1:%d", port)
                                                            : xstrdup("")};
    return 0;
}

void health_way_clear(struct health_way *way)
{
    free(way->host);
    free(way->proxy);
    *way = (struct health_way){.host = NULL};
}
