/* What two sides of runs have to say to each other: which phases, roles and tasks got slower, what could not
 * be judged and why, and (for two named sides) the evidence for their transports side by side. */
#pragma once
#include "figures/comparison.h"
#include "format/json.h"
#include "view/table.h"

/* `evidence`: with the transports' evidence. Left out are roles and tasks that did not get slower. */
void comparison_view(const struct comparison *comparison, bool evidence, const struct table_look *look,
                     struct text *out);
/* The shape is in triphase(1). Owned by the caller. */
struct json *comparison_json(const struct comparison *comparison, bool evidence);
