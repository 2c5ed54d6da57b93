/* A connection to a unix socket of this machine, which waits for nobody. */
#pragma once

/* A descriptor (CLOEXEC, not blocking), or -1 with errno: ENOENT and ECONNREFUSED where nobody listens,
 * EAGAIN where somebody does who accepts nothing any more, ENAMETOOLONG for what no socket can be called. */
int local_socket_connect(const char *path);
