/* What is asked over HTTP, and the copy of it that a transfer keeps: where it goes, and its bounds. Pure. */
#pragma once
#include "base/text.h"
#include "base/words.h"
#include <stdbool.h>
#include <stdint.h>

struct http_request {
    const char *method, *url;
    const char *unix_socket;    /* NULL: the host of the URL is connected to */
    const char *connect_to;     /* "HOST:PORT" in place of the URL's, which stays what is asked for; beside a
                                  * socket only for words. NULL: none */
    const char *proxy;          /* its URL; "": none, NULL: what the environment says */
    const char *ca;             /* certificates (PEM) that alone are trusted; NULL: what the machine trusts */
    const char *const *headers; /* "Name: value", NULL-ended; NULL: none */
    const char *user, *password; /* basic authentication; user NULL: none, password NULL: an empty one */
    const char *body;            /* may be NULL where its length is 0 */
    size_t body_length;
    int64_t connect_ns, bound_ns; /* 0: HTTP_CONNECT_S, HTTP_BOUND_S */
    size_t answer_most;           /* 0: HTTP_ANSWER_MOST bytes */
    int slow_s;                   /* without a byte a second for so long it fails; 0: HTTP_SLOW_S */
    /* Never sent twice: over a connection of its own. Over one that was there before and dies under it
     * libcurl sends it again, whether the server acted on it or not. */
    bool once;
};
enum { HTTP_CONNECT_S = 5, HTTP_BOUND_S = 15, HTTP_SLOW_S = 30, HTTP_ANSWER_MOST = 1 << 20 };

struct http_order {
    char *method, *url;
    char *where;       /* "host:port" of the URL, without a user; what is in its place */
    char *unix_socket; /* NULL: none */
    char *connect_to;  /* as libcurl has it, "::HOST:PORT"; NULL: none */
    char *proxy, *ca;  /* NULL: as of a request */
    struct words headers;
    struct text body;
    int64_t connect_ms, bound_ms;
    int slow_s;
    bool once;
    size_t most; /* bytes of the answer's body */
};

void http_order_fill(const struct http_request *request, struct http_order *out);
/* Wipes headers and body, which may hold secrets. */
void http_order_clear(struct http_order *order);
