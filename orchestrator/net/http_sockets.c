#include "net/http_sockets.h"

#include "base/memory.h"

struct http_socket {
    struct http_sockets *all;
    int fd;
    struct watch *watch;
    struct http_socket *next;
};

/* Where it is linked; where it is not, the end of the list. */
static struct http_socket **place_of(struct http_sockets *sockets, int fd)
{
    struct http_socket **place = &sockets->first;
    while (*place && (*place)->fd != fd)
        place = &(*place)->next;
    return place;
}

static void on_ready(void *context, uint32_t events)
{
    const struct http_socket *socket = context;
    socket->all->ready(socket->all->context, socket->fd, events);
}

void http_sockets_watch(struct http_sockets *sockets, int fd, uint32_t events)
{
    struct http_socket **place = place_of(sockets, fd);
    if (!*place) {
        *place = xcalloc(1, sizeof **place);
        **place = (struct http_socket){.all = sockets, .fd = fd};
    }
    watch_stop(&(*place)->watch);
    loop_watch(sockets->loop, fd, events, on_ready, *place, &(*place)->watch, NULL);
}

void http_sockets_forget(struct http_sockets *sockets, int fd)
{
    struct http_socket **place = place_of(sockets, fd), *socket = *place;
    if (!socket)
        return;
    *place = socket->next;
    watch_stop(&socket->watch);
    free(socket);
}

void http_sockets_clear(struct http_sockets *sockets)
{
    while (sockets->first)
        http_sockets_forget(sockets, sockets->first->fd);
    sockets->loop = NULL;
}
