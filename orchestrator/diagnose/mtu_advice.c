#include "diagnose/mtu_advice.h"

#include "base/text.h"
#include "config/transport_kind.h"

const char *mtu_advice(const char *transport)
{
    bool by_tun = text_is(transport, transport_name(TRANSPORT_TAILNET)),
         by_daemon = text_is(transport, transport_name(TRANSPORT_TAILNET_USERSPACE));
    /* tailscaled's own packets have 1280 bytes within; what is beneath them carries less than it says. */
    if (by_tun || by_daemon)
        return "start tailscaled with a smaller MTU, here and on the host (TS_DEBUG_MTU=1200 in its "
               "environment), or raise that of the network beneath (a tunnel, a container's bridge)";
    return "take a smaller MTU on the interface that leads there (ip link set dev IFACE mtu 1200, or the "
           "container network's own setting), or let ICMP \"fragmentation needed\" through";
}
