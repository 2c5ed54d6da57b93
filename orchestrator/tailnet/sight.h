/* A daemon as it says of itself, and the wait until it has nothing more to become. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "tailnet/ready.h"
#include "tailnet/status.h"

struct sight {
    struct tailnet_status status;
    char *control_url;
    enum ready_verdict verdict;
};
#define AUTO_SIGHT __attribute__((cleanup(sight_clear))) struct sight

/* Errors as of local_api.h. */
int sight_take(const char *socket, const struct ready_wish *wish, struct deadline deadline, struct sight *out,
               struct error *err);
/* Asks again until it is READY, or is something that waiting does not change, or the time is up: then it is
 * handed out as it is, too. */
int sight_settle(const char *socket, const struct ready_wish *wish, struct deadline deadline,
                 struct sight *out, struct error *err);
void sight_clear(struct sight *sight);
