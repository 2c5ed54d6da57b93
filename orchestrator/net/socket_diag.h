/* What the kernel tells of the sockets of this network namespace (NETLINK_SOCK_DIAG, any user may ask;
 * source: sock_diag(7)). No process is started and nothing waits: the kernel answers while it is asked. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One message of the answer; false: enough. */
typedef bool socket_diag_answer(void *context, const void *payload, size_t length);
/* Sends the request of a family (an inet_diag_req_v2, a unix_diag_req): `dump` asks for all that
 * fit, else for the one that is named. 0 when answered, if only by nothing: there is none. -1
 * where the kernel cannot tell. */
int socket_diag_ask(const void *request, size_t length, bool dump, socket_diag_answer *answer, void *context,
                    struct error *err);

/* One attribute behind the first `header` bytes of such a message: its bytes and their number,
 * NULL when it is not there. */
const void *socket_diag_attribute(const void *payload, size_t length, size_t header, int type, size_t *size);

/* Inode of the socket that listens at this path, 0 when nobody does. ssh binds PATH.<random> and links it to
 * its place, so both names count; of several the one whose file it is. */
uint32_t socket_diag_listener(const char *path);
/* Inodes of the sockets that a process holds, at most `most`; their number, 0 when it is gone
 * or may not be looked at. */
int socket_diag_inodes(pid_t pid, uint32_t *inodes, int most);
/* The first of the processes that holds this socket; 0 for none. */
pid_t socket_diag_holder(uint32_t inode, const pid_t *pids, int count);
