/* The effective configuration, for people and as JSON. */
#pragma once
#include "config/change.h"
#include "config/config.h"
#include "provider/made_difference.h"
#include "view/table.h"

/* Adds the table of the target, or with NULL of all. */
void config_view_add(const struct project *project, const struct target *target,
                     const struct table_look *look, struct text *out);
struct config_made {
    const char *target;
    struct made made;
};
/* Prints it; `differs`: of each target that is made, what was made otherwise. -1, as of all below, when
 * stdout could not be written. */
int config_view_print(const struct project *project, const struct target *target,
                      const struct config_made *differs, size_t count);
/* {"version":1,"directory":…,"settings":[{"path","value","origin","hides":["origin: value"…]}]}, each
 * value with its own JSON type. */
int config_view_print_json(const struct project *project, const struct target *target,
                           const struct config_made *differs, size_t count);
/* What was written or taken out, of a dry one with the lines that would change. */
int config_view_print_change(const struct config_change *change, const struct config_changed *changed);
int config_view_print_change_json(const struct config_change *change, const struct config_changed *changed);
