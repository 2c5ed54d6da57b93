#include "data/outcome.h"

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

const char *outcome_name(enum outcome outcome)
{
    return names[outcome];
}
