#include "event/outcome.h"

#include "base/text.h"

static const char *const names[] = {
    [OUTCOME_NONE] = "running",
    [OUTCOME_OK] = "ok",
    [OUTCOME_FAILED] = "failed",
    [OUTCOME_UNREACHABLE] = "unreachable",
    [OUTCOME_CANCELLED] = "cancelled",
    [OUTCOME_INVALID] = "invalid",
    [OUTCOME_CHILD_CRASHED] = "child-crashed",
    [OUTCOME_CRASHED] = "crashed",
    [OUTCOME_SKIPPED] = "skipped",
    [OUTCOME_UNHEALTHY] = "unhealthy",
    [OUTCOME_LEFTOVER] = "leftover",
    [OUTCOME_ROLLED_BACK] = "rolled-back",
};

static const bool may_leave[OUTCOME_OF_WATCHDOG] = {
    [OUTCOME_UNREACHABLE] = true, [OUTCOME_CANCELLED] = true,   [OUTCOME_CHILD_CRASHED] = true,
    [OUTCOME_CRASHED] = true,     [OUTCOME_ROLLED_BACK] = true,
};

const char *outcome_name(enum outcome outcome)
{
    return outcome < OUTCOME_OF_WATCHDOG ? names[outcome]
                                         : watchdog_facts(outcome - OUTCOME_OF_WATCHDOG)->outcome;
}

enum outcome outcome_count(void)
{
    enum outcome count = OUTCOME_OF_WATCHDOG;
    while (watchdog_facts(count - OUTCOME_OF_WATCHDOG))
        count++;
    return count;
}

bool outcome_may_leave(enum outcome outcome, const char *cause)
{
    if (outcome >= OUTCOME_OF_WATCHDOG)
        return outcome_name(outcome) != NULL;
    return may_leave[outcome] || (outcome == OUTCOME_FAILED && text_is(cause, OUTCOME_CAUSE_ABORTED));
}
