/* A way for requests through an ssh master: a socket here (in the folder of the master's own, for nobody
 * else) that it leads to a port as the host sees it. Lives in a loop: ssh is told by a child beside it. */
#pragma once
#include "base/error.h"
#include "process/loop.h"
#include "process/scope.h"
#include <stdbool.h>

struct health_forward;
/* It is there, or cannot be had (health_forward_socket tells). */
typedef void health_forward_done(void *context);
/* `scope` and `marker` (copied) are for the child, as aside_start's. */
struct health_forward *health_forward_new(struct loop *loop, const struct scope *scope, const char *marker,
                                          health_forward_done *done, void *context);
void health_forward_free(struct health_forward **forward); /* NULL is fine; the master keeps its end of it */
/* The socket for that master, host and port; NULL while it is being made, which this begins (`why` NULL), or
 * where it could not be (`why`, borrowed; the next call begins again). */
const char *health_forward_socket(struct health_forward *forward, const char *control_path, const char *host,
                                  int port, const char **why);
/* Nobody listens there any more: the next call makes another. */
void health_forward_drop(struct health_forward *forward);
