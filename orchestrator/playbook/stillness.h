/* How long a task says that it will give no sign of life: no event, no output. Pure. */
#pragma once
#include "format/node.h"
#include <stdint.h>

/* A key of the task (`module`: a module without its collection, or a keyword) with its value: how long,
 * and `what` says it, "pause (seconds: 25)", malloc'ed. 0: it says nothing, or not in plain numbers, or
 * signs of life come meanwhile. */
int64_t stillness_find(const struct node *task, const char *module, const struct node *value, char **what);
