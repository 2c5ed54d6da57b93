/* Exit codes of the program (docs/contract.md, "Exit codes"). */
#pragma once
#include "base/error.h"
#include "event/outcome.h"

enum exit_code {
    EXIT_OK = 0,
    EXIT_FOUND = 1,
    EXIT_PHASE_FAILED = 2,
    EXIT_PROVIDER = 3,
    EXIT_UNREACHABLE = 4,
    EXIT_WATCHDOG = 5,
    EXIT_UNHEALTHY = 6,
    EXIT_BAD_USAGE = 64,
    EXIT_MISSING = 69,
    EXIT_INTERNAL = 70,
    EXIT_BUSY = 75,
    EXIT_PROJECT = 78,
    EXIT_CANCELLED = 130,
};

int exit_code_of(const struct error *err);
/* Of a run that ended so; `stage` that ended it, NULL: a phase. */
int exit_code_of_outcome(enum outcome outcome, const char *stage, bool changed_where_none_should);
/* Of the several codes of one command over several targets, the one that counts: the first of 130 70 78 69 75
 * 3 4 5 2 6 1 64 that occurred. */
int exit_code_worse(int a, int b);
