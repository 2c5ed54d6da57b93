#include "event/cause.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <string.h>

/* First fit counts: what names its reason comes before what only says that a connection ended. The texts are
 * those of OpenSSH 8.4 to 10 and ansible-core 2.14 to 2.21. */
static const struct {
    const char *text, *cause;
} signs[] = {
    {"host key verification failed", "host-key"},
    {"remote host identification has changed", "host-key"},
    {"host key of ", "host-key"},
    {"tailscale ssh", "tailscale-ssh"},
    {"tailnet policy does not permit", "tailscale-ssh"},
    {"could not resolve hostname", "dns"},
    {"name or service not known", "dns"},
    {"temporary failure in name resolution", "dns"},
    {"permission denied", "auth"},
    {"too many authentication failures", "auth"},
    {"no supported authentication methods", "auth"},
    {"load key", "auth"},
    {"not allowed at this time", "penalty"},
    {"banner exchange", "banner-timeout"},
    {"timed out waiting for become success", "become-timeout"},
    {"waiting for privilege escalation prompt", "become-timeout"},
    {"privilege output closed", "become-timeout"},
    {"failed to create temporary directory", "remote-tmp"},
    {"remote tmp", "remote-tmp"},
    {"no space left on device", "remote-tmp"},
    {"read-only file system", "remote-tmp"},
    {"not responding", "keepalive-timeout"},
    {"proxycommand", "proxy-exit"},
    {"proxy", "proxy-exit"},
    {"connection closed by unknown port 65535", "proxy-exit"},
    {"mux_client", "mux-lost"},
    {"control socket connect", "mux-lost"},
    {"master is dead", "mux-lost"},
    {"killed by signal", "mux-lost"},
    {"connection refused", "refused"},
    {"no route to host", "no-route"},
    {"network is unreachable", "no-route"},
    {"connection timed out", "connect-timeout"},
    {"operation timed out", "connect-timeout"},
    {"connection reset", "reset"},
    /* A socket's pipe breaks only behind a reset. */
    {"send disconnect: broken pipe", "reset"},
    {"broken pipe", "channel-broken"},
    {"channel", "channel-broken"},
    {"shared connection to", "mux-lost"},
    {"connection closed", "reset"},
    {"closed by remote host", "reset"},
    {"exit status 255", "rc-255"},
    {"rc=255", "rc-255"},
    {"return code 255", "rc-255"},
    /* Ansible's words for any 255 of a pipelined ssh; what ssh itself said stands
     * behind them and counts before. */
    {"data could not be sent to remote host", "rc-255"},
    /* wait_for_connection and reboot that ran out, and know no more. */
    {"timed out waiting for", "connect-timeout"},
};

const char *cause_of_text(const char *message)
{
    if (!message || !*message)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(signs); i++)
        if (strcasestr(message, signs[i].text))
            return signs[i].cause;
    return "other";
}

bool cause_is_refusal(const char *cause)
{
    return text_is(cause, "auth") || text_is(cause, "host-key") || text_is(cause, "tailscale-ssh");
}

int64_t cause_pause_ns(const char *cause, int tries)
{
    static const char *const unseen[] = {"refused", "no-route", "connect-timeout", "dns", NULL};
    int64_t first = 5 * NS_PER_S, most = 30 * NS_PER_S;
    if (text_is_one_of(cause, unseen))
        first = 100 * NS_PER_MS, most = NS_PER_S;
    else if (text_is(cause, "proxy-exit")) /* the proxy's own login went well */
        first = NS_PER_S, most = 5 * NS_PER_S;
    for (int i = 1; i < tries && first < most; i++)
        first *= 2;
    return first < most ? first : most;
}
