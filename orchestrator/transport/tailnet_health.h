/* Is the way through a tailnet dead, where no kernel socket leads to the host (tailscaled without a TUN)?
 * The judgement over looks at what the daemon says of itself and the peer, pure (docs/design.md, "Dead or
 * only busy"). What makes it possible is the same as with TCP: ssh asks the host every 2 s, so that a way
 * that carries brings a segment of the peer's at least that often; on one that does not, bytes go out and
 * none come. What WireGuard says by itself (a keepalive, the answer to a handshake or to a ping of ours) is
 * less than the least of segments and no sign that the connection lives. */
#pragma once
#include "transport/path_health.h"

/* One look. What stands below `answered` counts only where it is set. */
struct tailnet_sight {
    int64_t at_ns;          /* monotonic */
    bool answered;          /* the daemon, in time and with a status */
    bool carries;           /* it is Running, and has the peer in its list */
    int64_t received, sent; /* bytes of the peer since the daemon began; may begin anew */
    int64_t read;           /* bytes that the ssh master has read; -1: there is none, or it cannot be told */
};

/* What has to be remembered from look to look; begins as zeros. Times are monotonic. */
struct tailnet_health {
    enum path_state state;
    bool knock; /* whoever looks has the peer asked for a ping through the tunnel, to tell of its answer */
    bool begun;
    int64_t last_ns;
    int64_t answered_ns, carried_ns, received_ns; /* when the last good sign of each was seen */
    int64_t asked_ns; /* when bytes went out first that nothing came for since; 0: none did */
    int rises;        /* looks that saw bytes go out since then */
    int64_t received, sent, read;
};

/* Judges one more look: PATH_ALIVE, PATH_UNSEEN (nothing goes out, so nothing is missing), PATH_BACKING_OFF
 * (bytes go out and none come), PATH_DAEMON_SILENT, PATH_UNCARRIED, and after nearly lost_ns PATH_DEAD,
 * PATH_DAEMON_LOST, PATH_UNCARRIED_LOST: ends. PATH_DEAD is said only where a look before had asked for a
 * knock. Time in which nobody looked (a stopped process) counts for nothing. */
enum path_state tailnet_health_judge(struct tailnet_health *health, int64_t lost_ns,
                                     const struct tailnet_sight *sight);
/* Between two looks: half a second, as much as the end may be late by that, and less where it is near. */
int64_t tailnet_health_again(const struct tailnet_health *health, int64_t lost_ns);
/* How long the daemon may take for its next answer, which begins now (monotonic). */
int64_t tailnet_health_patience(const struct tailnet_health *health, int64_t lost_ns, int64_t now_ns);
/* How old the sign is whose lack the state tells of. */
int64_t tailnet_health_age(const struct tailnet_health *health);
