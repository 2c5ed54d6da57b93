/* Logging in to a host: ssh opens a master, and its own log tells how far it got. Every try is one
 * connection, and is a login: a look at the port alone would count against the address of this machine
 * (OpenSSH's PerSourcePenalties). Blocking: for stage children and commands. */
#pragma once
#include "base/deadline.h"
#include "transport/login_log.h"
#include "transport/route.h"

struct login_request {
    const struct ssh_arguments *ssh;
    const struct transport_route *route;
    const char *log; /* ssh appends to it */
    const struct scope *masters;
    const char *const *environment; /* NULL: inherited */
    struct deadline deadline;       /* a login that is on its way has all of it */
    bool wait, starting;            /* as in struct transport_request */
    int64_t answer_ns;  /* of each try, for the server's version; 0: no bound but that of the whole */
    bool tailscale_ssh; /* it may be Tailscale's own SSH server that lets in; else that is a refusal */
    bool local_command; /* the user's LocalCommand is run, as for a connection of their own */
};

struct login {
    enum login_rung rung; /* that was not taken; LOGIN_DONE: all were */
    const char *cause;    /* class of the failure as in docs/contract.md; NULL: none. Static */
    /* it goes through a proxy, and the host itself had not said its version yet: words about a key
     * may be about another host's */
    bool on_the_way;
    char *why; /* ssh's own words, who was tried, what to do; NULL: it went well */
    int tries;
    struct json *rungs; /* array of what the last try took: name, milliseconds, what it saw */
};

/* 0: there is a master at the route's control path. -1: `out` tells why it is not; `err` is set where ssh
 * itself is missing, and left alone else. What is known of an earlier try is kept where a later one was only
 * cut off. While there is another to come, the step's log is told why. A host that is only slow is asked once
 * more, with patience, also where `wait` does not say so. */
int login_open(const struct login_request *request, struct login *out, struct error *err);
void login_clear(struct login *login);
