/* libcurl as a loop drives it. The only file that includes it, and it links nothing of it: the calls are
 * looked up when the first request is made. There is one multi handle for each thread that asks, and one
 * thread of a process does; until http_wire_renew puts another in its place it keeps connections and
 * addresses as long as the process lives. All who ask at the same time do so on one loop. */
#pragma once
#include "base/error.h"
#include "net/http_answer.h"
#include "net/http_failure.h"
#include "net/http_request.h"
#include "process/loop.h"
#include <stdbool.h>

int http_wire_load(struct error *err);

struct http_wire;
/* Asks on this loop from now on. ERROR_SYSTEM where somebody does so on another one. */
int http_wire_join(struct loop *loop, struct http_wire **out, struct error *err);
/* Once for each join. The loop may go once all have left it. NULL is fine. */
void http_wire_leave(struct http_wire **wire);

/* No connection of before is used any more by what begins from now on. Flights by GET and HEAD begin again;
 * others go on over what they have, which is closed behind them. */
void http_wire_renew(struct http_wire *wire);

struct http_flight; /* one request under way */
/* Called in the loop, once; the signs are valid until the flight is ended, which may be done in it. */
typedef void http_landed(void *context, const struct http_signs *signs);
/* `order` and `answer`, which is filled, must outlive the flight. `date_only`: it is asked for its clock; of
 * the order nothing but the URL is sent, and whether the server is the right one is not looked at. */
int http_flight_begin(struct http_wire *wire, const struct http_order *order, bool date_only,
                      struct http_answer *answer, http_landed *landed, void *context,
                      struct http_flight **out, struct error *err);
void http_flight_end(struct http_flight **flight); /* NULL is fine */
