/* From the values that count to plain structs. */
#pragma once
#include "base/words.h"
#include "config/ansible_settings.h"
#include "config/invoker.h"
#include "config/project.h"
#include "config/settings.h"

/* What turning values into structs needs besides them. */
struct resolve {
    const char *directory; /* the project's, absolute */
    const struct invoker *invoker;
    const char *const *environment;
    const struct ansible_settings *ansible;
    const char *program; /* the running one; may be NULL */
    struct words *faults;
    const char *provider; /* of a target, in the place of the one that it says; NULL: that one */
};

/* Each fills `out`, which stays to be freed by project_free whatever it held; what is missing or points
 * nowhere is a fault. `place` is where the thing stands in its file. */
void resolve_project(const struct resolve *resolve, const struct settings_view *view, struct project *out);
void resolve_target(const struct resolve *resolve, const struct settings_view *view, const char *name,
                    const char *place, struct target *out);
void resolve_phase(const struct resolve *resolve, const struct settings_view *view, const char *name,
                   int line, const char *place, struct phase *out);
