/* The ways to a host, by name: the row of a transport in the one table of them, which also leads to its calls
 * (transport/transport.h). */
#pragma once
#include <stddef.h>

enum transport_kind {
    TRANSPORT_DIRECT,
    TRANSPORT_TAILNET,
    TRANSPORT_TAILNET_USERSPACE,
    TRANSPORT_KINDS /* how many there are */
};

struct transport; /* transport/transport.h; what is in here knows of it only that it is there */

const char *transport_name(enum transport_kind kind); /* "direct", … */
/* -1 for an unknown name. */
int transport_from(const char *name, enum transport_kind *out);
/* What `transport:` takes, NULL-terminated: "auto" last. */
const char *const *transport_words(void);
/* What ends the name of its folder of sockets. */
char transport_letter(enum transport_kind kind);
const struct transport *transport_calls(enum transport_kind kind);
