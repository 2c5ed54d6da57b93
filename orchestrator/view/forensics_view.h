/* What stood still when a step was ended, on one screen: at most 24 lines, cut to the width (100
 * where there is no terminal). */
#pragma once
#include "format/json.h"
#include "view/table.h"

/* `detail`: of an event of kind forensics. Lines are indented; what was not looked at has none. */
void forensics_view_add(const struct json *detail, const struct table_look *look, struct text *out);
