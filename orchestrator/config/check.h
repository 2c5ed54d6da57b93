/* Whether a value is what its key takes. */
#pragma once
#include "config/fault.h"
#include "config/schema.h"
#include "format/node.h"

/* False with faults added, each with its place. `field`: of an open map's entry its name, else NULL.
 * Nothing of a secret is ever in a fault. */
bool check_value(const struct key *key, const char *field, const struct node *node,
                 const struct provenance *from, struct words *faults);
