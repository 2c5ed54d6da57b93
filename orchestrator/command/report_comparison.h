/* triphase report --compare and --regress. */
#pragma once
#include "format/sql.h"
#include "report/format.h"

/* Names as figures/comparison.h has them; `code` gets EXIT_FOUND where something got slower. */
int report_compare(struct sql *db, const char *before, const char *after, const char *target,
                   const struct report_format *format, int *code, struct error *err);
int report_regress(struct sql *db, const char *after, const char *target, const struct report_format *format,
                   int *code, struct error *err);
