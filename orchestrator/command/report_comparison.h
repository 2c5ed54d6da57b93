/* triphase report --compare and --regress. */
#pragma once
#include "command/report_output.h"
#include "format/sql.h"

/* Names as figures/comparison.h has them; `code` gets EXIT_FOUND where something got slower. */
int report_compare(struct sql *db, const char *before, const char *after, const char *target,
                   const struct report_output *output, int *code, struct error *err);
int report_regress(struct sql *db, const char *after, const char *target, const struct report_output *output,
                   int *code, struct error *err);
