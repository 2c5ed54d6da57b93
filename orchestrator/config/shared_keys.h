/* Parts that several of the files have. */
#pragma once
#include "base/words.h"
#include "config/fault.h"
#include "config/settings.h"

/* A member that must be a map: NULL when absent, empty, or something else, which is a fault. */
const struct node *shared_keys_map(const struct node *root, const char *name, const struct provenance *from,
                                   struct words *faults);
/* Faults for every key of `root` that is not in the list; one that the scope has in a later
 * version is told as that. */
void shared_keys_check(const struct node *root, enum key_scope scope, const char *const *known,
                       const struct provenance *from, struct words *faults);
/* `defaults` and `providers`. */
void shared_keys_add(struct settings *layers, enum source source, const struct node *root,
                     const struct provenance *from, struct words *faults);
