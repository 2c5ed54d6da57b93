/* net/http.h, waited for: on a loop of its own, for what runs outside of the worker's (ERROR_SYSTEM where
 * a struct http is open on that). */
#pragma once
#include "base/deadline.h"
#include "net/http.h"

/* One try. The request's bounds hold, and the deadline at the latest. Kinds of errors as of http_done. */
int http_ask(const struct http_request *request, struct deadline deadline, struct http_answer *out,
             struct error *err);
/* For what may be repeated: tries again on 429, 500, 502, 503, 504 and where there is no answer, after as
 * long as the server asks for (a second at least), else after 0.5 s, 1 s, 2 s … 8 s. The last answer,
 * whatever its status, or the last error, once the deadline leaves no room for another try. */
int http_ask_patiently(const struct http_request *request, struct deadline deadline, struct http_answer *out,
                       struct error *err);
