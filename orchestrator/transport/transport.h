/* What one way to a host needs and how ssh is led over it: a const table of calls, one file each, named in a
 * row of config/transport_kind.c. */
#pragma once
#include "base/error.h"
#include "config/config.h"
#include "event/machine.h"
#include "tailnet/look.h"

struct transport {
    bool by_daemon;  /* tailscaled has the connection to the host, and no socket here leads there */
    bool of_tailnet; /* a look is taken before the calls below; else theirs is empty */
    /* Why it cannot be used, malloc'ed; NULL: it can. `for_contact`: now, not only in an inventory that is
     * rendered. NULL: nothing is ever missing. */
    char *(*lack)(const struct tailnet_look *look, bool for_contact);
    /* Why it can be, malloc'ed. */
    char *(*why)(const struct tailnet_look *look);
    /* ssh's option for the way, "ProxyCommand=none", malloc'ed into `out`; untouched where
     * there is nothing to say. */
    int (*proxy)(const struct machine *machine, const struct target *target, char **out, struct error *err);
};

/* What both tailnet transports need of a tailscaled that is to carry a connection now; NULL: it is there. One
 * that is starting will be: that is a lack only where it was waited for. */
char *tailnet_lack(const struct tailnet_look *look);
