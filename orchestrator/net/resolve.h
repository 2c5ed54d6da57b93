/* The addresses of a host's name. By a child (getent), for a resolver may take as long as it likes: with the
 * deadline it is ended. A numeric address needs none. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include <stddef.h>
#include <sys/socket.h>

enum { RESOLVED_MOST = 16 };
struct resolved {
    struct sockaddr_storage addresses[RESOLVED_MOST]; /* in the order in which they are to be tried */
    socklen_t sizes[RESOLVED_MOST];
    size_t count; /* 1 at least */
};

/* ERROR_DEADLINE where no name server answered in time, ERROR_UNREACHABLE where there is no such name. */
int resolve_host(const char *host, int port, struct deadline deadline, struct resolved *out,
                 struct error *err);
