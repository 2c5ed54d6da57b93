/* The process behind a control path, for sure: the one of the run's scope that holds the socket which listens
 * there. Looked at from outside, without asking it anything (a frozen one would not answer; one on a dead
 * path says that all is well). */
#pragma once
#include "net/tcp_state.h"
#include "process/scope.h"
#include <stdbool.h>
#include <stdint.h>

struct mux_master {
    pid_t pid; /* 0: none */
    int64_t start;
    uint32_t listener; /* inode of its control socket */
    bool over_tcp;     /* false: through a program (a proxy, a jump), whose connection is not its own */
    struct tcp_socket socket; /* when over_tcp */
};

/* False when nobody listens there, or nobody of the run does. `run` is the run's scope. */
bool mux_master_find(const struct scope *run, const char *control_path, struct mux_master *out);
/* The same for whoever has the members already. */
bool mux_master_among(const pid_t *pids, int count, const char *control_path, struct mux_master *out);
/* Whether it is still the one that was found; `stopped` (T, t) and, over TCP, `tcp` are as they are now
 * (tcp->state NULL: no connection). */
bool mux_master_look(const struct mux_master *master, bool *stopped, struct tcp_state *tcp);
