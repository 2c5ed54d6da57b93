#include "tailnet/not_in_effect.h"

#include "base/memory.h"

#include <stddef.h>
#include <strings.h>

/* The daemon's own name for what it does, and the word of `tailscale set` for it. */
static const struct {
    const char *name, *pref, *word;
    size_t wanted;
} switches[] = {
    {"ssh", "RunSSH", "--ssh", offsetof(struct operator_settings, ssh)},
    {"accept_routes", "RouteAll", "--accept-routes", offsetof(struct operator_settings, accept_routes)},
    {"accept_dns", "CorpDNS", "--accept-dns", offsetof(struct operator_settings, accept_dns)},
};

static void note(struct words *notes, const char *name, bool known, const char *socket, const char *set)
{
    words_addf(notes,
               "operator.%s is %s: the tailscaled at %s is not triphase's and stays as it is; whoever looks "
               "after it sets that with: tailscale --socket=%s set %s",
               name, known ? "not in effect" : "in effect or not, which the daemon did not say", socket,
               socket, set);
}

void not_in_effect(const struct operator_settings *settings, const char *socket,
                   const struct tailnet_status *status, const struct json *prefs, struct words *notes)
{
    const char *hostname = settings->login.hostname;
    for (size_t i = 0; i < COUNT_OF(switches); i++) {
        bool wanted = *(const bool *)((const char *)settings + switches[i].wanted);
        if (wanted && !json_get_bool(prefs, switches[i].pref))
            note(notes, switches[i].name, prefs != NULL, socket, switches[i].word);
    }
    if (hostname && strcasecmp(hostname, status->self.host_name) != 0) {
        AUTO_FREE char *set = xasprintf("--hostname=%s", hostname);
        note(notes, "hostname", true, socket, set);
    }
    /* One with a TUN needs none; of another one only its own words in ps would tell. */
    if (settings->socks5 && !status->tun)
        words_addf(notes,
                   "operator.socks5 counts for a tailscaled that triphase starts: the one at %s is not, and "
                   "whether it has such a port nobody here can say",
                   socket);
}
