/* triphase report --group: what a cycle said at its end, from the store alone; and the cycle's own end. */
#pragma once
#include "figures/cycle.h"
#include "format/sql.h"
#include "report/format.h"

/* `group`: whole or short id, `last` for the newest cycle. */
int report_cycle(struct sql *db, const char *state, const char *group, const struct report_format *format,
                 struct error *err);
/* The same of a whole id; `rounds`: the table of rounds too (JSON always has it). */
int report_cycle_end(struct sql *db, const char *state, const char *group, bool rounds,
                     const struct report_format *format, struct error *err);
