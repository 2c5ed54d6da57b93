/* A cycle: a row for each round as it ends, and what all of them come to. What is printed comes from the
 * store alone, so that `report --group` says the same as the cycle did. */
#pragma once
#include "figures/cycle.h"
#include "format/json.h"
#include "view/table.h"

/* One row, of the same widths whatever it holds; `titles`: with the line of titles above it. `phases`: the
 * columns, names, NULL-terminated. */
void cycle_view_round(const struct cycle_round *round, const char *const *phases, bool titles,
                      const struct table_look *look, struct text *out);
void cycle_view_rounds(const struct cycle *cycle, const struct table_look *look, struct text *out);
void cycle_view_summary(const struct cycle *cycle, const struct cycle_summary *summary,
                        const struct table_look *look, struct text *out);
/* The shape is in triphase(1). Owned by the caller. */
struct json *cycle_json(const struct cycle *cycle, const struct cycle_summary *summary);
