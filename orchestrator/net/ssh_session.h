/* One SSH connection in this process (libssh, loaded at first use), over a descriptor that the caller made:
 * many channels at once, with what each moved and when. Nothing in it blocks but the waits, and each of those
 * ends with its deadline. For children that may be ended: an agent that does not answer holds libssh up. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "base/text.h"
#include "net/ssh_end.h"
#include "net/tcp_state.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ssh_session;

/* What the descriptor leads to, and as whom. Lists end with NULL. */
struct ssh_session_order {
    int fd; /* a stream socket; the session's from the call on, also where it fails */
    const char *host, *user;
    int port;
    const char *host_key_alias;     /* NULL: the host and its port are looked up */
    const char *const *known_hosts; /* files; what stands in none of them is not trusted */
    const char *const *keys; /* paths of private keys, in order; one that does not open is passed over */
    /* Asked behind the keys; NULL: no agent is. `agent_for_closed`: only where a key did not open. */
    const char *agent_socket;
    bool agent_for_closed;
    bool lets_in_by_address; /* Tailscale SSH is asked without a key first */
};

struct ssh_session_login {
    enum ssh_rung rung; /* that was not taken */
    enum ssh_end end;
    char banner[128];                            /* of the server, printable; "": none came */
    int64_t banner_ns, key_exchange_ns, auth_ns; /* how long each took, -1: not reached */
};

/* Whether libssh can be loaded: ERROR_MISSING, with the package that has it. */
int ssh_session_check(struct error *err);
/* Logs in. `login` (never NULL) is filled also on failure, which is ERROR_UNREACHABLE, ERROR_DEADLINE, or
 * ERROR_MISSING where libssh is not there. */
int ssh_session_open(const struct ssh_session_order *order, struct deadline deadline,
                     struct ssh_session **out, struct ssh_session_login *login, struct error *err);
void ssh_session_close(struct ssh_session **session); /* NULL is fine */

struct ssh_channel_work {
    const char *command;
    const char *input;  /* to its stdin; NULL: `input_bytes` zeros */
    size_t input_bytes; /* then its stdin ends */
    bool holds;         /* its stdin ends with the command alone: one that waits for that sees us go */
    int64_t throttle;   /* bytes a second that are read; 0: what comes */
    int64_t silence_ns; /* without a byte either way for so long the call fails; 0: the deadline alone does */
    size_t keep;        /* bytes of its output kept */
    /* What came, on either of its streams; may be NULL. */
    void (*on_bytes)(void *context, size_t count, int64_t at_ns);
    void *context;
};

struct ssh_channel_end {
    bool refused;  /* the host opened no further channel (MaxSessions), or did not run the command */
    bool ended;    /* the command came to its end; else the connection did, or the deadline came */
    int exit_code; /* -1: none was told */
    uint64_t received, sent;
    /* since the call: the command was begun, first and last byte either way, the end; -1: never */
    int64_t begun_ns, first_byte_ns, last_byte_ns, end_ns;
    int64_t longest_gap_ns; /* without a byte either way, from the begin to the end */
    int stalls;             /* such gaps of more than a second */
    struct text kept, said; /* of stdout; the begin of stderr */
};

/* Runs all of them at once, each on a channel of its own. `ends` (as many) is filled also on failure, as far
 * as each came; the caller clears them. A channel that is refused is no failure. On ERROR_UNREACHABLE and
 * ERROR_DEADLINE the session is of no further use; `ssh_session_ended` tells how it ended. */
int ssh_session_run(struct ssh_session *session, const struct ssh_channel_work *works, size_t count,
                    struct deadline deadline, struct ssh_channel_end *ends, struct error *err);
void ssh_channel_end_clear(struct ssh_channel_end *end);

/* So many bytes to the host and back, `count` times one after the other, over one channel that stays: what
 * tells a live connection from a dead one, since libssh's own keepalive cannot. Each has `bound_ns` of its
 * own. `times` gets each round's nanoseconds. How many came back; -1 where not the first did. */
int ssh_session_echo(struct ssh_session *session, size_t bytes, int count, int64_t bound_ns, int64_t *times,
                     struct error *err);

enum ssh_end ssh_session_ended(const struct ssh_session *session);
/* The kernel's view of the descriptor; 1 where it is no connection of TCP. */
int ssh_session_tcp(const struct ssh_session *session, struct tcp_state *out, struct error *err);
