#include "net/knock.h"

#include "base/memory.h"
#include "base/moment.h"

#include <errno.h>

int knock_begin(const struct sockaddr *address, socklen_t size)
{
    AUTO_CLOSE int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || (connect(fd, address, size) < 0 && errno != EINPROGRESS))
        return -1;
    return TAKE_FD(fd);
}

int knock_decided(int fd)
{
    int problem = 0;
    socklen_t size = sizeof(problem);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) < 0 ? errno : problem;
}

void knock_keep_apart(int64_t knocked_ns)
{
    if (knocked_ns > 0)
        moment_sleep(knocked_ns + KNOCK_APART_S * NS_PER_S - moment_monotonic());
}
