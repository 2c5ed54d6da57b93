/* Secrets of a target that may take their time (a command, a file that is no regular one): read in a child,
 * so that no watchdog waits for them. */
#pragma once
#include "config/project.h"
#include "process/aside.h"
#include "redact/redact.h"

bool secret_fetch_needed(const struct project *project, const struct target *target);
/* For aside_start: reads them all; `what` is this. */
struct secret_fetch {
    const struct project *project;
    const struct target *target;
};
aside_work secret_fetch_read;
/* What that has read is what secret_read gives, once for each. */
void secret_fetch_take(const struct secret_fetch *fetch, const char *bytes, size_t length);
/* Adds those of the target that are at hand; one that is among `names` gives way to it. */
void secret_fetch_again(const struct project *project, const struct target *target, const struct words *names,
                        struct redact_rules *rules);
