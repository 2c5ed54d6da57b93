/* What became of phases' ways back (`confirm`), in a report of a run. */
#pragma once
#include "figures/account.h"
#include "view/table.h"

/* Of each that the host put back what was different, its first lines. */
void report_confirm_add(const struct account *account, const struct table_look *look, struct text *out);
