#include "net/knock.h"

#include "base/memory.h"

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
