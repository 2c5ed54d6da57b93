/* The effective configuration, for people and as JSON. */
#pragma once
#include "config/config.h"
#include "provider/made_difference.h"
#include "view/table.h"

/* Adds the table of the target, or with NULL of all. */
void config_view_add(const struct project *project, const struct target *target,
                     const struct table_look *look, struct text *out);
/* Prints it. -1 when stdout could not be written. */
/* `differs`: of each target that is made, what was made otherwise. */
struct config_made {
    const char *target;
    struct made made;
};
int config_view_print(const struct project *project, const struct target *target,
                      const struct config_made *differs, size_t count);
/* {"version":1,"directory":…,"settings":[{"path","value","origin","hides":["origin: value"…]}]}, each
 * value with its own JSON type. */
int config_view_print_json(const struct project *project, const struct target *target,
                           const struct config_made *differs, size_t count);
