#include "action/knock.h"

#include "base/memory.h"
#include "base/moment.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { BANNER_MAX = 8192 };

const char *knock_cause(int number)
{
    switch (number) {
    case ECONNREFUSED:
        return "refused";
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EACCES:
    case EPERM:
        return "no-route";
    case ECONNRESET:
    case EPIPE:
        return "reset";
    case ETIMEDOUT:
        return "connect-timeout";
    default:
        return "other";
    }
}

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

int knock_connect(const struct addrinfo *address, int64_t bound)
{
    int64_t until = moment_monotonic() + bound;
    AUTO_CLOSE int fd = knock_begin(address->ai_addr, address->ai_addrlen);
    if (fd < 0)
        return -1;
    for (;;) {
        int64_t left = until - moment_monotonic();
        struct pollfd ready = {fd, POLLOUT, 0};
        int count = left > 0 ? poll(&ready, 1, (int)(left / NS_PER_MS) + 1) : 0;
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            errno = count ? errno : ETIMEDOUT;
            return -1;
        }
        errno = knock_decided(fd);
        return errno ? -1 : TAKE_FD(fd);
    }
}

int knock_banner(int fd, int64_t bound, struct text *line)
{
    AUTO_TEXT seen = TEXT_INIT;
    int64_t until = moment_monotonic() + bound;
    for (;;) {
        char buffer[512];
        ssize_t count = recv(fd, buffer, sizeof(buffer), 0);
        if (count == 0) {
            errno = 0;
            return -1;
        }
        if (count > 0) {
            text_add_bytes(&seen, buffer, (size_t)count);
            /* Lines may stand before it (RFC 4253, 4.2). */
            const char *start =
                text_starts(text_string(&seen), "SSH-") ? seen.bytes : strstr(seen.bytes, "\nSSH-");
            if (start && *start == '\n')
                start++;
            if (start && strpbrk(start, "\r\n")) {
                text_add_printable(line, start, strcspn(start, "\r\n"));
                return 0;
            }
            if (seen.length > BANNER_MAX) {
                errno = EPROTO;
                return -1;
            }
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return -1;
        int64_t left = until - moment_monotonic();
        struct pollfd ready = {fd, POLLIN, 0};
        if (left <= 0 || poll(&ready, 1, (int)(left / NS_PER_MS) + 1) == 0)
            return 1;
    }
}
