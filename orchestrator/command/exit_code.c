#include "command/exit_code.h"

#include "base/memory.h"
#include "base/text.h"

int exit_code_of(const struct error *err)
{
    switch (err->kind) {
    case ERROR_NONE:
        return EXIT_OK;
    case ERROR_USAGE:
        return EXIT_BAD_USAGE;
    case ERROR_PROJECT:
        return EXIT_PROJECT;
    case ERROR_MISSING:
        return EXIT_MISSING;
    case ERROR_BUSY:
        return EXIT_BUSY;
    case ERROR_PROVIDER:
        return EXIT_PROVIDER;
    case ERROR_UNREACHABLE:
        return EXIT_UNREACHABLE;
    case ERROR_DEADLINE:
        return EXIT_WATCHDOG;
    case ERROR_CANCELLED:
        return EXIT_CANCELLED;
    case ERROR_SYSTEM:
    case ERROR_STORE:
        break;
    }
    return EXIT_INTERNAL;
}

int exit_code_of_outcome(enum outcome outcome, const char *stage, bool changed_where_none_should)
{
    switch (outcome) {
    case OUTCOME_OK:
    case OUTCOME_SKIPPED:
        return changed_where_none_should ? EXIT_FOUND : EXIT_OK;
    case OUTCOME_FAILED:
    case OUTCOME_CHILD_CRASHED:
        return stage && !text_is(stage, "transport") ? EXIT_PROVIDER : EXIT_PHASE_FAILED;
    case OUTCOME_ROLLED_BACK:
        return EXIT_PHASE_FAILED;
    case OUTCOME_LEFTOVER:
        return EXIT_PROVIDER;
    case OUTCOME_UNREACHABLE:
    case OUTCOME_TRANSPORT_LOST:
        return EXIT_UNREACHABLE;
    case OUTCOME_UNHEALTHY:
        return EXIT_UNHEALTHY;
    case OUTCOME_INVALID:
        return EXIT_PROJECT;
    case OUTCOME_CANCELLED:
        return EXIT_CANCELLED;
    case OUTCOME_CRASHED:
    case OUTCOME_NONE:
        return EXIT_INTERNAL;
    case OUTCOME_DEADLINE:
    case OUTCOME_SILENCE:
    case OUTCOME_TASK_TIMEOUT:
        break; /* and what other watchdogs there are */
    }
    return EXIT_WATCHDOG;
}

int exit_code_worse(int a, int b)
{
    static const int order[] = {EXIT_CANCELLED,    EXIT_INTERNAL,  EXIT_PROJECT,     EXIT_MISSING,
                                EXIT_BUSY,         EXIT_PROVIDER,  EXIT_UNREACHABLE, EXIT_WATCHDOG,
                                EXIT_PHASE_FAILED, EXIT_UNHEALTHY, EXIT_FOUND,       EXIT_BAD_USAGE};
    for (size_t i = 0; i < COUNT_OF(order); i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return a ? a : b;
}
