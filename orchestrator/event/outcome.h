/* Why a step or a run ended, apart from how (docs/contract.md, "Outcomes"). */
#pragma once
#include "config/watchdog_facts.h"
#include <stdbool.h>

enum outcome {
    OUTCOME_NONE, /* still running, or not looked at */
    OUTCOME_OK,
    OUTCOME_FAILED,
    OUTCOME_UNREACHABLE,
    OUTCOME_CANCELLED,
    OUTCOME_INVALID,
    OUTCOME_CHILD_CRASHED,
    OUTCOME_CRASHED,
    OUTCOME_SKIPPED,
    OUTCOME_UNHEALTHY,
    OUTCOME_LEFTOVER,
    OUTCOME_ROLLED_BACK,
    OUTCOME_OF_WATCHDOG, /* from here on: that of each row of config/watchdog_facts.h, by its place */
    OUTCOME_TRANSPORT_LOST = OUTCOME_OF_WATCHDOG + WATCHDOG_TRANSPORT,
    OUTCOME_DEADLINE = OUTCOME_OF_WATCHDOG + WATCHDOG_DEADLINE,
    OUTCOME_SILENCE = OUTCOME_OF_WATCHDOG + WATCHDOG_SILENCE,
    OUTCOME_TASK_TIMEOUT = OUTCOME_OF_WATCHDOG + WATCHDOG_TASK,
};

/* Ansible ended by itself within a play, without saying how it ended. */
#define OUTCOME_CAUSE_ABORTED "aborted"

/* "ok", "transport-lost", …; "running" for OUTCOME_NONE; NULL where a watchdog gives none */
const char *outcome_name(enum outcome outcome);
enum outcome outcome_count(void); /* the first that is none any more */
/* Whether a phase that ended so may have left something running on its host: a connection or a process broke
 * off under it, so that its tasks did not come to their own end. `cause` as in its row, may be NULL: a
 * failure that aborted Ansible itself (one of its forks was killed) counts, one of a task does not. */
bool outcome_may_leave(enum outcome outcome, const char *cause);
