/* Evidence of a TUN device: what carries the tailnet transport here. A tailscaled that answers on the
 * socket decides by its own TUN flag (an ordinary user with a kernel tailscaled needs no capability);
 * where none answers, device, open and CAP_NET_ADMIN say what `up` could start. */
#pragma once
#include "format/json.h"
#include "tailnet/status.h"
#include <stdbool.h>

enum tun_verdict {
    TUN_IN_USE,        /* a tailscaled answers and has a TUN */
    TUN_USERSPACE,     /* a tailscaled answers and has none */
    TUN_USABLE,        /* none answers, and one could be started with a TUN */
    TUN_ABSENT,        /* no device */
    TUN_NOT_OPENABLE,  /* there, but not to be opened */
    TUN_NO_CAPABILITY, /* there and to be opened, but no CAP_NET_ADMIN */
};

struct tun_evidence {
    enum tun_verdict verdict;
    bool daemon_answers, daemon_tun;
    /* version and BackendState as it says; NULL where none answers */
    char *daemon_socket, *daemon_version, *daemon_state;
    char *daemon_error; /* why none answers; NULL where one does */
    bool device_present, device_opens, net_admin;
    int device_errno;
    bool device_looked;
};

/* Never fails: what cannot be found out is evidence too. `socket` NULL: tailscale's default. Bounded (2 s
 * for the daemon). */
void tun_look(const char *socket, struct tun_evidence *out);
/* The same from what the daemon at `daemon_socket` said: its status, or NULL and the error of asking it. */
void tun_judge(struct tun_evidence *out, const struct tailnet_status *status, const char *error);
/* Whether this process has the capability that a TUN needs. */
bool tun_net_admin(void);
/* The verdict as if no daemon answered: what one that is started now could have. */
enum tun_verdict tun_of_device(const struct tun_evidence *evidence);
void tun_clear(struct tun_evidence *evidence);
/* One line for people: what was found, and no advice (tun_advice.h has that). malloc'ed. */
char *tun_text(const struct tun_evidence *evidence);
struct json *tun_json(const struct tun_evidence *evidence);
/* Whether the tailnet transport can be had, or a tailscaled with a TUN could be started. */
bool tun_is_usable(const struct tun_evidence *evidence);
/* Whether a tailscaled that is started here could have a TUN, as far as was looked. */
bool tun_lacks_nothing(const struct tun_evidence *evidence);
/* What lacks for that, a part of a sentence, malloc'ed; NULL where nothing does. */
char *tun_lack(const struct tun_evidence *evidence);
