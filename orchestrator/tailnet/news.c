#include "tailnet/news.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "net/local_socket.h"
#include "tailnet/local_api.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOLD_WITHIN NS_PER_S
#define ASK_EVERY   (100 * NS_PER_MS)

/* ipn.NotifyPeerChanges | ipn.NotifyPeerPatches: without them a daemon of 1.100 and newer says nothing of its
 * peers; an older one, which knows neither, says it unasked. What changes of itself each says always. */
static const char request[] = "GET /localapi/v0/watch-ipn-bus?mask=36864 HTTP/1.1\r\n"
                              "Host: local-tailscaled.sock\r\n\r\n";

/* Its head comes when it has begun to listen for changes. */
int news_open(const char *socket, struct deadline deadline)
{
    AUTO_CLOSE int fd = local_socket_connect(socket ? socket : local_api_default_socket());
    char head[256] = "";
    struct pollfd told = {.fd = fd, .events = POLLIN};
    struct deadline bound = deadline_earlier(deadline, deadline_in(LOCAL_API_S * NS_PER_S));
    if (fd < 0 || send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != sizeof request - 1 ||
        deadline_poll(&told, 1, bound) != 1 || read(fd, head, sizeof head - 1) <= 0 ||
        !text_starts(head, "HTTP/1.1 200 "))
        return -1;
    return TAKE_FD(fd);
}

void news_await(int *news, struct deadline deadline)
{
    char said[4096];
    struct pollfd told = {.fd = *news, .events = POLLIN};
    struct deadline bound = deadline_earlier(deadline, deadline_in(*news < 0 ? ASK_EVERY : TOLD_WITHIN));
    if (deadline_poll(&told, 1, bound) != 1)
        return;
    ssize_t got = 1;
    while (got > 0)
        got = read(*news, said, sizeof said);
    if (got == 0 || (errno != EAGAIN && errno != EINTR))
        fd_close(news);
}
