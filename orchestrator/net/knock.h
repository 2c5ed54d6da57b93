/* Whether anybody is there: a TCP connection that is begun and looked at, no more. A server counts each
 * against who makes it (OpenSSH's PerSourcePenalties). */
#pragma once
#include <stdint.h>
#include <sys/socket.h>

/* Nothing else connects to a host within so many seconds of a knock. */
enum { KNOCK_APART_S = 5 };

/* Begins a connection and waits for nothing: a descriptor (CLOEXEC, not blocking) that becomes writable when
 * it is decided, or -1 with errno. */
int knock_begin(const struct sockaddr *address, socklen_t size);
/* What it was decided to: 0 connected, else an errno. */
int knock_decided(int fd);
/* Sleeps until something else may connect to the host that was knocked at then (monotonic; 0: never). */
void knock_keep_apart(int64_t knocked_ns);
