/* The way that ssh would take with its arguments, taken by a session of this program's own
 * (net/ssh_session.h): name, port, user, keys and known hosts as ssh itself makes of them (ssh -G), over TCP,
 * or through the program of a ProxyCommand or a jump. What concerns ssh alone (ciphers, certificates of hosts
 * and users, hardware keys) it does not take over. Blocking: for children that may be ended. */
#pragma once
#include "base/deadline.h"
#include "net/ssh_session.h"
#include "process/child.h"
#include "transport/ssh_options.h"
#include <sys/socket.h>

struct session_way {
    char *host, *user;
    int port;
    char *host_key_alias; /* NULL: none */
    char *proxy;          /* a line for the shell; NULL: TCP */
    struct words known_hosts, keys;
    char *agent_socket; /* NULL: none */
    bool agent_for_closed, lets_in_by_address;
};

/* Asks ssh once; `lets_in_by_address` is the caller's. */
int session_way_find(const struct ssh_arguments *ssh, struct session_way *out, struct error *err);
void session_way_clear(struct session_way *way);

/* A stream to the host's sshd. */
struct session_line {
    int fd;                          /* -1: none, or handed over */
    struct child proxy;              /* pid -1: TCP */
    int said;                        /* what the proxy writes to stderr, a file of memory; -1 */
    int64_t name_ns, connect_ns;     /* how long the name and the connection took, -1: neither was needed */
    struct sockaddr_storage address; /* of the host; family 0: through a proxy */
};

#define SESSION_LINE_INIT                                                          \
    {                                                                              \
        .fd = -1, .proxy = CHILD_INIT, .said = -1, .name_ns = -1, .connect_ns = -1 \
    }

/* Within the deadline, the name's look-up too. ERROR_UNREACHABLE in words whose class event/cause.h tells. */
int session_line_open(const struct session_way *way, struct deadline deadline, struct session_line *out,
                      struct error *err);
/* Logs in over it; the line's descriptor is the session's from then on. */
int session_line_log_in(const struct session_way *way, struct session_line *line, struct deadline deadline,
                        struct ssh_session **out, struct ssh_session_login *login, struct error *err);
/* What the proxy said, in one printable line; malloc'ed, "" for nothing. */
char *session_line_said(const struct session_line *line);
/* Ends the proxy. To be called behind ssh_session_close. */
void session_line_close(struct session_line *line);
