/* Waits until the host is healthy, as the worker that started the stage sees it. Blocking: for the stage
 * `health`. */
#pragma once
#include "base/error.h"
#include "format/json.h"

#define STAGE_HEALTH "health"
/* Of the request: bound_ns, `health_fd` (a socket with a packet for each look: {healthy, cause, message,
 * via}). Fills the result: "evidence"; "cause" of a failure, ERROR_DEADLINE where it is not healthy within
 * the bound. */
int health_wait(const struct json *request, struct json *result, struct error *err);
