/* `tailscale up` and `tailscale set` on a daemon of our own: never a browser, never a key in argv, every wait
 * bounded. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "base/words.h"
#include <stdbool.h>

struct join_order {
    const char *program; /* tailscale */
    const char *socket;
    const char *login_server; /* NULL: Tailscale's own */
    const char *hostname;
    const struct words *tags; /* to be asked for; empty: those of the key */
    const char *key;          /* NULL: the node logs in by the key it has */
    bool ssh, accept_routes, accept_dns;
};

/* Joins; it is Running when this is 0. The key goes through a sealed file in memory that only the child can
 * open. ERROR_PROJECT: the control server refuses (join_error.h says how), ERROR_DEADLINE: not Running in
 * time. */
int join_up(const struct join_order *order, struct deadline deadline, struct error *err);
/* Brings the settings of a node that is Running to what the order says; nothing is logged in anew. */
int join_set(const struct join_order *order, struct deadline deadline, struct error *err);
/* The words of `tailscale up` without the program, for tests: no key is in them. */
void join_words(const struct join_order *order, int seconds, struct words *out);
