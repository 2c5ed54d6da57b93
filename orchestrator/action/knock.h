/* The two rungs below SSH itself: a TCP connection, and a server that says it speaks SSH. */
#pragma once
#include "base/text.h"
#include <netdb.h>
#include <stdint.h>

/* Begins a connection and waits for nothing: a descriptor (CLOEXEC, not blocking) that becomes writable when it is decided, or -1 with errno. */
int knock_begin(const struct sockaddr *address, socklen_t size);
/* What it was decided to: 0 connected, else an errno. */
int knock_decided(int fd);
/* Connected descriptor (CLOEXEC, not blocking), or -1 with errno; ETIMEDOUT at the bound. */
int knock_connect(const struct addrinfo *address, int64_t bound);
/* Reads up to the server's version line (RFC 4253, 4.2: other lines may stand before it) and adds it,
 * printable. 0, 1 at the bound, -1 with errno: 0 closed, EPROTO no SSH. */
int knock_banner(int fd, int64_t bound, struct text *line);
/* Class of a failed connection as in CONTRACT.md. Static. */
const char *knock_cause(int number);
