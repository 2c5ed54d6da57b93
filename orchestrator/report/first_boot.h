/* What cloud-init did in the first boot of a host that a run waited for, told from its samples. */
#pragma once
#include "figures/account.h"
#include "format/json.h"

/* "init-local 0.31s, init 2.00s, modules-final 6.40s (1 error)"; malloc'ed, NULL where the step waited for
 * none. */
char *report_first_boot_story(const struct account *account, const struct history_step *step);
/* The stages, a list; NULL where there are none. */
struct json *report_first_boot_json(const struct account *account, const struct history_step *step);
