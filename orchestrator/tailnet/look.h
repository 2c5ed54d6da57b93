/* One look at everything here that says whether a tailnet can carry a connection: the tailscaled that is
 * asked, its peers, the device, the rights, the program. `plan`, `inventory --explain`, `create` and
 * `doctor` speak from it. What cannot be found out is evidence too, so that a look never fails. */
#pragma once
#include "base/deadline.h"
#include "tailnet/status.h"
#include "tailnet/tun.h"

enum tailnet_daemon {
    TAILNET_DAEMON_NONE, /* nobody listens on the socket */
    TAILNET_DAEMON_ANSWERS,
    TAILNET_DAEMON_SILENT,  /* it takes the connection and does not answer in time */
    TAILNET_DAEMON_STRANGE, /* what answers is no tailscaled, or refuses; or it cannot be asked from here */
};

struct tailnet_look {
    bool taken; /* false: all below is empty */
    enum tailnet_daemon daemon;
    struct tun_evidence tun;      /* its daemon_error says why none answers */
    struct tailnet_status status; /* with peers; empty where none answers */
    char *control_url;            /* the daemon's control server; NULL: not known, "" never set */
    char *program;                /* tailscale; NULL: not in PATH */
    const char *lacks;            /* the program without which no daemon can be started here; NULL: none */
    const char *container;        /* what container this machine is (tailnet/tun_advice.h), NULL: none */
    bool own;                     /* the daemon is the one that `triphase up` started */
    bool awaited;                 /* whoever took the look waited for the daemon: what it is now, it stays */
    int64_t took_ns;
};

/* How long a look waits for a daemon that does not answer. */
enum { TAILNET_LOOK_S = 2 };

/* `socket` NULL: that of the system's own daemon. What has to be waited for is asked at the same time. */
void tailnet_look_take(const char *socket, struct deadline deadline, struct tailnet_look *out);
/* The same, and where the daemon is starting, or by `io` did not answer and still does not, again at each of
 * its changes, until it no longer is so or the deadline is over; what `io` held is cleared. */
void tailnet_look_await(const char *socket, struct deadline deadline, struct tailnet_look *io);
void tailnet_look_clear(struct tailnet_look *look);
#define AUTO_TAILNET_LOOK __attribute__((cleanup(tailnet_look_clear))) struct tailnet_look

/* Whether the daemon answers and has not come up yet, which takes it a second or two where it reaches its
 * control server. */
bool tailnet_look_is_starting(const struct tailnet_look *look);
/* Whether nobody answers, who may do so again: it is stopped, hangs, or is being restarted. */
bool tailnet_look_is_away(const struct tailnet_look *look);
/* Whether both name the same control server; NULL and "" are Tailscale's own. */
bool tailnet_look_same_server(const char *one, const char *other);
/* Where nobody is there: what brings a daemon here, a command or what is to be installed before. */
const char *tailnet_look_start(const struct tailnet_look *look);
/* What would give a TUN on this machine, after what lacks; malloc'ed, NULL where a daemon with a TUN
 * answers. */
char *tailnet_look_mend(const struct tailnet_look *look);
