/* This machine's own tailscaled: a daemon that outlives the command that started it, found again by pid,
 * start time, boot and a mark in its environment, and known to be the one that answers on its socket. What
 * is written down of it, and where, is config/tailnet_place.h. All but _look is called with the lock held
 * (own_lock.h). */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "config/tailnet_place.h"
#include <stdbool.h>

enum daemon_life {
    DAEMON_NONE, /* nothing is written down of one */
    DAEMON_DEAD, /* it is written down, and its process is gone */
    DAEMON_RUNS,
};

/* How it is: one whose pid was never written down (whoever started it was killed) is found by its mark. */
int daemon_look(struct tailnet_place_daemon *out, enum daemon_life *life, struct error *err);

struct daemon_order {
    const char *program; /* tailscaled */
    bool tun, socks5;
};

/* Starts it on the state that is there and waits until it answers on its socket: 0, and it is written down.
 * ERROR_SYSTEM with its last words where it ends, ERROR_DEADLINE where it does not answer in time: then it
 * was ended. */
int daemon_start(const struct daemon_order *order, struct deadline deadline, struct tailnet_place_daemon *out,
                 struct error *err);
/* TERM, then KILL; verified: the process is gone and nobody listens on its socket. Its state stays. */
int daemon_stop(const struct tailnet_place_daemon *daemon, struct deadline deadline, struct error *err);
/* Whether that very process is the one that listens on the socket (SO_PEERCRED). */
bool daemon_holds_socket(const struct tailnet_place_daemon *daemon);
/* Whether it does, and answers there within 5 s: one that does not hangs, or was started just now by an `up`
 * that was killed and will not be ready. */
bool daemon_await_answer(const struct tailnet_place_daemon *daemon, struct deadline deadline);
/* Removes state, socket and what is written down of it, the latter last; its log stays. */
int daemon_forget(struct error *err);
/* Empties a log that has grown beyond 16 MiB: the daemon writes at its end, wherever that is. */
void daemon_trim_log(void);
/* Whether an interface of a tailscaled with a TUN is there, ours or another's. */
bool daemon_tun_is_there(void);
