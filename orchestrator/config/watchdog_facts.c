#include "config/watchdog_facts.h"

#include "base/memory.h"

extern watchdog_when watchdog_deadline, watchdog_silence, watchdog_task, watchdog_staying;

#define PHASE_DURATION(key_name, ...)                                                         \
    {                                                                                         \
        .name = key_name, .scope = SCOPE_PHASE, .type = VALUE_DURATION, .preset = __VA_ARGS__ \
    }

static const struct watchdog_facts rows[] = {
    /* The path to the host is dead. Its three keys are no single limit: they stand in the schema,
     * and in struct phase_limits. */
    [WATCHDOG_TRANSPORT] = {.outcome = "transport-lost", .cause = "transport"},
    /* Since its process was started. */
    [WATCHDOG_DEADLINE] = {.key = PHASE_DURATION("deadline", "30m"),
                           .outcome = "deadline",
                           .cause = "deadline",
                           .when = watchdog_deadline},
    /* Since the last event line, byte of output or poll of an async task. */
    [WATCHDOG_SILENCE] = {.key = PHASE_DURATION("silence", "15m"),
                          .outcome = "silence",
                          .cause = "silence",
                          .hears_output = true,
                          .when = watchdog_silence},
    /* Since a host was given the task that it is still at. */
    [WATCHDOG_TASK] = {.key = PHASE_DURATION("task", "none", .flags = KEY_NONE),
                       .outcome = "task-timeout",
                       .cause = "task",
                       .when = watchdog_task},
    [WATCHDOG_STAYING] = {.cause = "did-not-leave", .when = watchdog_staying},
};

_Static_assert(COUNT_OF(rows) <= WATCHDOG_ROOM, "struct phase_limits has no room for so many watchdogs");

const struct watchdog_facts *watchdog_facts(size_t row)
{
    return row < COUNT_OF(rows) ? &rows[row] : NULL;
}
