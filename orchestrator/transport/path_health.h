/* Is the connection dead, or is the host only busy? The judgement over looks at a master's socket, pure
 * (docs/design.md, "Dead or only busy"). What makes it possible is that ssh asks the host every 2 s
 * (ServerAliveInterval): a path that carries shows an acknowledgement at least that often. */
#pragma once
#include "net/tcp_state.h"
#include <stdbool.h>
#include <stdint.h>

enum path_state {
    PATH_UNSEEN,      /* no master, or no connection of TCP: nothing to judge */
    PATH_ALIVE,       /* acknowledged and answered */
    PATH_BACKING_OFF, /* unacknowledged and tried again: dead, or soon acknowledged */
    /* acknowledged, but the host's sshd does not answer: ssh itself ends that (ServerAliveCountMax) */
    PATH_HOST_SILENT,
    PATH_MASTER_STOPPED, /* the master was stopped: it asks nothing, so nothing can be told */
    PATH_DEAD,           /* nothing was acknowledged for nearly as long as the path may be dead: an end */
    PATH_MASTER_LOST,    /* stopped for as long as a host may be silent: an end */
    /* of a tailnet whose daemon has the connection (transport/tailnet_health.h) */
    PATH_DAEMON_SILENT, /* it does not answer */
    PATH_UNCARRIED,     /* it says that it is not Running, or has no such peer */
    PATH_DAEMON_LOST,   /* the same for as long as the path may be dead: ends */
    PATH_UNCARRIED_LOST,
};

struct path_limits {
    int64_t lost_ns;   /* how long the path may be dead */
    int64_t silent_ns; /* how long a master may be stopped */
};

struct path_sample {
    int64_t at_ns; /* monotonic */
    bool stopped;  /* the master's process is (T, t) */
    bool answered; /* a new connection to where this one leads got an answer since `knock` was asked for */
    struct tcp_state tcp; /* tcp.state NULL: no connection */
};

/* What has to be remembered from look to look; begins as zeros. */
struct path_health {
    enum path_state state;
    int64_t last_ns, stopped_ns; /* of the last look; the first of those in a row that saw it stopped */
    bool knock;                  /* the next look has to know whether a new connection gets an answer */
};

/* Judges one more look and says when the next is due: on a connection that is well when its last sign would
 * be old enough to mean something (at most 7.5 s), where there is none after 5 s, else within a second.
 * PATH_DEAD is said only where the look before had asked for a knock. */
enum path_state path_health_judge(struct path_health *health, const struct path_limits *limits,
                                  const struct path_sample *sample, int64_t *again_ns);
bool path_state_is_end(enum path_state state);
/* The cause as a step's row has it: "path-dead", "host-silent", "master-stopped", "daemon-silent",
 * "not-carried"; NULL where there is none. */
const char *path_state_cause(enum path_state state);
