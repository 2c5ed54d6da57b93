/* How far a step is and how long still, in words and as JSON. Nothing where no earlier one is known. */
#pragma once
#include "base/text.h"
#include "figures/estimate.h"
#include "format/json.h"

/* How much is said: what is left out first comes last. */
enum estimate_detail { ESTIMATE_SHORT, ESTIMATE_BEHIND, ESTIMATE_USUAL, ESTIMATE_RANGE };

/* "62 %, about 40s (25s to 1m10s), usually 1m5s, then 2m more"; the range only where it is wide, and what
 * comes behind the step where it is worth it. What is slower than ever has no time: "62 %, slower than ever
 * seen, usually 1m5s". malloc'ed, NULL: nothing is known. */
char *estimate_view_words(const struct estimate_figures *figures, enum estimate_detail detail);
/* Its members, into the object. */
void estimate_view_put(const struct estimate_figures *figures, struct json *into);
