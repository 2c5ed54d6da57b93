/* A tailnet through the kernel: a tailscaled with a TUN makes its addresses those of this machine. */
#include "base/memory.h"
#include "base/text.h"
#include "transport/transport.h"

char *tailnet_lack(const struct tailnet_look *look)
{
    const struct tun_evidence *tun = &look->tun;
    if (look->daemon == TAILNET_DAEMON_NONE && look->lacks)
        return xasprintf(
            "no tailscaled answers at %s (%s), and the program %s is not to be found in PATH: %s",
            tun->daemon_socket, tun->daemon_error, look->lacks, tailnet_look_start(look));
    if (look->daemon == TAILNET_DAEMON_NONE)
        return xasprintf("no tailscaled answers at %s (%s); 'triphase up' starts one and joins the tailnet",
                         tun->daemon_socket, tun->daemon_error);
    if (look->daemon != TAILNET_DAEMON_ANSWERS)
        return xasprintf("no tailscaled answers at %s (%s); restart the one that is there, or name another "
                         "one's socket (operator.socket)",
                         tun->daemon_socket, tun->daemon_error);
    if (tailnet_look_is_starting(look))
        return !look->awaited
                   ? NULL
                   : xasprintf("tailscaled at %s was waited for and is in the state %s still: it does not "
                               "reach its control server %s; look at its log, and at 'tailscale status'",
                               tun->daemon_socket, *look->status.state ? look->status.state : "NoState",
                               look->control_url ? look->control_url : "");
    if (!text_is(look->status.state, "Running"))
        return xasprintf("tailscaled at %s is in the state %s; 'triphase up' joins the tailnet",
                         tun->daemon_socket, look->status.state);
    return NULL;
}

static char *lack(const struct tailnet_look *look, bool for_contact)
{
    if (tun_is_usable(&look->tun))
        return for_contact ? tailnet_lack(look) : NULL;
    AUTO_FREE char *mend = tailnet_look_mend(look);
    if (look->tun.verdict == TUN_USERSPACE)
        return xasprintf("tailscaled %s at %s runs without a TUN (userspace networking): %s",
                         look->status.version, look->tun.daemon_socket, mend);
    return xasprintf("no tailscaled answers at %s (%s), and one that is started could have no TUN: %s",
                     look->tun.daemon_socket, look->tun.daemon_error, mend);
}

static char *why(const struct tailnet_look *look)
{
    return tun_text(&look->tun);
}

static int proxy(const struct machine *machine, const struct target *target, char **out, struct error *err)
{
    (void)machine;
    (void)target;
    (void)err;
    *out = xstrdup("ProxyCommand=none");
    return 0;
}

const struct transport transport_tailnet = {.of_tailnet = true, .lack = lack, .why = why, .proxy = proxy};
