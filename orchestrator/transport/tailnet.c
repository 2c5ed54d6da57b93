/* A tailnet through the kernel: a tailscaled with a TUN makes its addresses those of this machine. */
#include "base/memory.h"
#include "base/text.h"
#include "transport/transport.h"

char *tailnet_lack(const struct tun_evidence *tun)
{
    if (!tun->daemon_answers)
        return xasprintf(
            "no tailscaled answers at %s (%s); start it and join the tailnet with 'tailscale up'",
            tun->daemon_socket, tun->daemon_error);
    if (!text_is(tun->daemon_state, "Running"))
        return xasprintf("tailscaled at %s is in the state %s; join the tailnet with 'tailscale up'",
                         tun->daemon_socket, tun->daemon_state);
    return NULL;
}

static char *lack(const struct tun_evidence *tun, bool for_contact)
{
    if (!tun_is_usable(tun))
        return tun_text(tun);
    return for_contact ? tailnet_lack(tun) : NULL;
}

static int proxy(const struct machine *machine, const struct target *target, char **out, struct error *err)
{
    (void)machine;
    (void)target;
    (void)err;
    *out = xstrdup("ProxyCommand=none");
    return 0;
}

const struct transport transport_tailnet = {
    .of_tailnet = true, .lack = lack, .why = tun_text, .proxy = proxy};
