/* From the values of a target's keys `health.…` to a struct. */
#pragma once
#include "config/invoker.h"
#include "config/project.h"
#include "config/settings.h"

/* `directory` is the project's, `place` is where the target stands. Without a `health.url` the target has
 * none. */
void health_keys_target(const struct settings_view *view, const char *directory,
                        const struct invoker *invoker, const char *place, struct words *faults,
                        struct target *out);
