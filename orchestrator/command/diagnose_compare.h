/* Two diagnoses set side by side: two that are named, or today's and last week's. */
#pragma once
#include "command/command.h"
#include "format/sql.h"
#include "view/table.h"

/* Each name is an id (whole, or its last 8 hex), "last", "previous", or a file of `diagnose --json`.
 * Prints, and returns the exit code: EXIT_FOUND where a cell ended well in one and not in the other. */
int diagnose_compare(const struct command_context *context, const char *before, const char *after, bool json);
/* The newest of the target (NULL: of all) against the newest that is at least 7 days older, else the
 * oldest. */
int diagnose_report(struct sql *db, const char *target, bool json, int *code, struct error *err);
