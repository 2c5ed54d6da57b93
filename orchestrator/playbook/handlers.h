/* Handlers that a play has notified and that have not run yet, as far as the order of its tasks tells: what
 * `meta: end_play` and its like then throw away. */
#pragma once
#include "format/node.h"
#include <stddef.h>

struct owed_handler {
    char *name, *where; /* where it is notified: "playbooks/x.yml:12" */
};

struct owed_handlers {
    struct owed_handler *items;
    size_t count;
};

void handlers_clear(struct owed_handlers *owed);
/* A task's `notify`, one name or a list. */
void handlers_add(struct owed_handlers *owed, const struct node *notify, const char *where);
/* Whether this free word of `meta` ends the play for a host before its handlers run. */
bool handlers_are_dropped_by(const char *meta);
