#include "net/http_request.h"

#include "base/memory.h"
#include "base/moment.h"
#include "net/http_basic.h"

#include <string.h>

static char *where_of(const struct http_request *request)
{
    if (request->connect_to || request->unix_socket)
        return xstrdup(request->connect_to ? request->connect_to : request->unix_socket);
    const char *host = strstr(request->url, "://");
    host = host ? host + 3 : request->url;
    size_t length = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', length);
    return at ? xstrndup(at + 1, length - (size_t)(at + 1 - host)) : xstrndup(host, length);
}

static int64_t milliseconds(int64_t ns, int seconds)
{
    int64_t ms = ns > 0 ? (ns + NS_PER_MS - 1) / NS_PER_MS : (int64_t)seconds * 1000;
    return ms < INT32_MAX ? ms : INT32_MAX;
}

void http_order_fill(const struct http_request *request, struct http_order *out)
{
    struct http_order order = {
        .method = xstrdup(request->method),
        .url = xstrdup(request->url),
        .where = where_of(request),
        .unix_socket = xstrdup_or_null(request->unix_socket),
        .connect_to = request->connect_to ? xasprintf("::%s", request->connect_to) : NULL,
        .proxy = xstrdup_or_null(request->proxy),
        .ca = xstrdup_or_null(request->ca),
        .connect_ms = milliseconds(request->connect_ns, HTTP_CONNECT_S),
        .bound_ms = milliseconds(request->bound_ns, HTTP_BOUND_S),
        .slow_s = request->slow_s ? request->slow_s : HTTP_SLOW_S,
        .once = request->once,
        .most = request->answer_most ? request->answer_most : HTTP_ANSWER_MOST,
    };
    if (request->body_length) {
        /* Room for all of it at once: a text that grows leaves pieces of itself behind. */
        order.body.bytes = xmalloc(request->body_length + 1);
        order.body.room = request->body_length + 1;
        text_add_bytes(&order.body, request->body, request->body_length);
    }
    if (request->headers)
        words_add_list(&order.headers, request->headers);
    if (request->user)
        words_own(&order.headers, http_basic(request->user, request->password));
    /* A server that is asked whether it wants the body at all delays the answer by a second. */
    words_add(&order.headers, "Expect:");
    *out = order;
}

void http_order_clear(struct http_order *order)
{
    for (size_t i = 0; i < order->headers.count; i++)
        explicit_bzero(order->headers.items[i], strlen(order->headers.items[i]));
    words_clear(&order->headers);
    if (order->body.bytes)
        explicit_bzero(order->body.bytes, order->body.room);
    text_clear(&order->body);
    free(order->method);
    free(order->url);
    free(order->where);
    free(order->unix_socket);
    free(order->connect_to);
    free(order->proxy);
    free(order->ca);
    *order = (struct http_order){.method = NULL};
}
