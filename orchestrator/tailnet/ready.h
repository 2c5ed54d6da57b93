/* Whether a daemon has brought this machine into the wanted tailnet, from its own words: pure. */
#pragma once
#include "base/words.h"
#include "tailnet/status.h"
#include <stdbool.h>

enum ready_verdict {
    READY,
    READY_NOT_RUNNING,   /* BackendState is another one */
    READY_OTHER_SERVER,  /* it belongs to another control server */
    READY_OTHER_TAILNET, /* … to another tailnet of it */
    READY_NO_ADDRESS,    /* Running, and no address of its own yet */
    READY_NO_PEERS,      /* Running, and it has not been told its peers yet */
    READY_TAGS,          /* it has not the wanted tags */
};

struct ready_wish {
    const char *login_server; /* NULL: Tailscale's own */
    const char *tailnet;      /* its name, or the suffix of its names; NULL or "-": any */
    const struct words *tags; /* empty: any */
    bool exactly;             /* no other tags beside them */
};

enum ready_verdict ready_judge(const struct tailnet_status *status, const char *control_url,
                               const struct ready_wish *wish);
/* Whether it can become READY by waiting alone. */
bool ready_is_on_its_way(enum ready_verdict verdict);
/* Why it is not READY, a part of a sentence about the daemon: "is not Running (NeedsLogin)". malloc'ed. */
char *ready_text(enum ready_verdict verdict, const struct tailnet_status *status, const char *control_url,
                 const struct ready_wish *wish);
/* Whether two control servers are the same; NULL and "" are Tailscale's own. */
bool ready_is_same_server(const char *one, const char *other);
/* The control server for people. */
const char *ready_server_shown(const char *url);
