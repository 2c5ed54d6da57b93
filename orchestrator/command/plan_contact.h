/* `plan --contact`: a target's host is asked itself (preflight/host_check.h), and its cloud whether it takes
 * the token (provider/account.h). */
#pragma once
#include "base/error.h"
#include "config/config.h"
#include "format/json.h"

/* What it said, for view and JSON; also why nobody could be asked, which is no failure where
 * nothing is made. `ansible_version` may be NULL. 0, or -1 where a run would certainly fail by it.
 * `out` is filled in any case. */
int plan_contact(const struct project *project, const struct target *target, const char *ansible_version,
                 struct json **out, struct error *err);
