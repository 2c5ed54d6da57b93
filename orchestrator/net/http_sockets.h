/* The sockets that libcurl wants to be watched, in a loop. */
#pragma once
#include "process/loop.h"

typedef void http_socket_ready(void *context, int fd, uint32_t events);
struct http_socket;
struct http_sockets {
    struct loop *loop;
    http_socket_ready *ready; /* may do anything to the sockets */
    void *context;
    struct http_socket *first;
};

/* For these events (process/loop.h) from now on, in place of others. One that cannot be watched is not. */
void http_sockets_watch(struct http_sockets *sockets, int fd, uint32_t events);
void http_sockets_forget(struct http_sockets *sockets, int fd);
/* Forgets all, and the loop. */
void http_sockets_clear(struct http_sockets *sockets);
