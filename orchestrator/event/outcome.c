#include "event/outcome.h"

#include "base/text.h"

static const char *const names[] = {
    [OUTCOME_NONE] = "running",
    [OUTCOME_OK] = "ok",
    [OUTCOME_FAILED] = "failed",
    [OUTCOME_UNREACHABLE] = "unreachable",
    [OUTCOME_TRANSPORT_LOST] = "transport-lost",
    [OUTCOME_DEADLINE] = "deadline",
    [OUTCOME_SILENCE] = "silence",
    [OUTCOME_TASK_TIMEOUT] = "task-timeout",
    [OUTCOME_CANCELLED] = "cancelled",
    [OUTCOME_INVALID] = "invalid",
    [OUTCOME_CHILD_CRASHED] = "child-crashed",
    [OUTCOME_CRASHED] = "crashed",
    [OUTCOME_SKIPPED] = "skipped",
    [OUTCOME_UNHEALTHY] = "unhealthy",
    [OUTCOME_LEFTOVER] = "leftover",
};

static const bool may_leave[OUTCOME_LEFTOVER + 1] = {
    [OUTCOME_UNREACHABLE] = true,   [OUTCOME_TRANSPORT_LOST] = true, [OUTCOME_DEADLINE] = true,
    [OUTCOME_SILENCE] = true,       [OUTCOME_TASK_TIMEOUT] = true,   [OUTCOME_CANCELLED] = true,
    [OUTCOME_CHILD_CRASHED] = true, [OUTCOME_CRASHED] = true,
};

const char *outcome_name(enum outcome outcome)
{
    return names[outcome];
}

bool outcome_may_leave(enum outcome outcome, const char *cause)
{
    return may_leave[outcome] || (outcome == OUTCOME_FAILED && text_is(cause, OUTCOME_CAUSE_ABORTED));
}
