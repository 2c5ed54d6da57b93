/* What plays and tasks say of how a host is reached: what would lead a run past the connection that was
 * verified, and what has no effect beside the rendered user and port. */
#pragma once
#include "format/node.h"
#include <stdbool.h>

/* `below`: a keyword of a block or task that a rendered variable stands above ("remote_user: x");
 * else a connection variable. */
typedef void elsewhere_found(void *context, bool below, const char *file, int line, const char *text);
/* One key of a play or task with its value. */
void elsewhere_find(const char *file, const struct node *task, const char *key, const struct node *value,
                    int line, elsewhere_found *found, void *context);
