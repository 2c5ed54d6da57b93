/* Requests over http and https, and over a unix socket, in callbacks of a loop (net/http_ask.h: the same,
 * waited for). libcurl is loaded when the first request is made, so that a program that asks nobody pays
 * nothing for it. There is one libcurl multi handle a process: all who ask share it, and its connections,
 * which stay for who asks next. So they ask on one loop, in one thread (a second thread has a handle of its
 * own, and shares nothing). Every bound is set: on the connection, on the whole, on an answer that trickles
 * (1 byte a second over 30 s), on its size. Redirects are not followed; a proxy of the environment is used,
 * but never for a unix socket. Copies of what is sent are wiped afterwards, but for libcurl's own buffers. */
#pragma once
#include "base/error.h"
#include "net/http_answer.h"
#include "net/http_request.h"
#include "process/loop.h"

/* Whether libcurl is here, so that doctor can say it; ERROR_MISSING with what to install. */
int http_load(struct error *err);

struct http;
struct http_transfer;
/* Exactly one of `answer` and `failure` is not NULL; both are gone afterwards (what is moved out of the
 * answer stays). Anything may be begun, cancelled and closed from here. Failures: ERROR_UNREACHABLE where
 * there is no answer (the address is not found, nothing is connected to, TLS fails, the time is up, what
 * comes is cut or no HTTP); over a unix socket ERROR_MISSING where nobody listens, ERROR_DEADLINE where no
 * answer comes in time, ERROR_SYSTEM for the rest. ERROR_PROJECT: no such URL can be asked. */
typedef void http_done(void *context, const struct http_answer *answer, const struct error *failure);

/* As many as are wanted on one loop; ERROR_SYSTEM while one is open on another. */
int http_open(struct loop *loop, struct http **out, struct error *err);
/* What was begun through it ends without a word. NULL is fine. Before its loop is freed. */
void http_close(struct http **http);
/* Copies all of the request. `out` may be NULL; else it must outlive the transfer, and is NULL before `done`
 * is called. */
int http_begin(struct http *http, const struct http_request *request, http_done *done, void *context,
               struct http_transfer **out, struct error *err);
/* In `done` with a failure: why, in one word (net/http_failure.h). */
const char *http_why(const struct http *http);
/* The network under the connections changed (routes, firewalls, addresses): they, and the addresses of names,
 * are used no more, also by others who ask. What is asked by GET or HEAD and has no answer yet is asked again
 * over a new connection, with its bounds from now on; what might be done twice then goes on as it was. */
void http_renew(struct http *http);
/* Nobody is told. A NULL transfer is fine. */
void http_cancel(struct http_transfer **transfer);
