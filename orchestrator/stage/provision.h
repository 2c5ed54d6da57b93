/* Making a target's machine and removing it: what its provider is asked, one thing after the other. Blocking:
 * for the stages `provision` and `destroy`. */
#pragma once
#include "base/error.h"
#include "config/config.h"
#include "event/machine.h"
#include "format/json.h"
#include "stage/sweep.h"

/* Makes the machine, unless it was made, and verifies it. `result`: "machine" as soon as it is made. */
int provision_make(const struct project *project, const struct target *target, struct machine *machine,
                   struct json *result, struct error *err);
/* Logs it out of its tailnet, removes the machine, and its folder unless the request says keep_state, and
 * sees its device gone. `project` and `target` may be NULL; `host`: how it is logged in to, its target NULL:
 * not at all. `result`: "machine". */
int provision_remove(const struct project *project, const struct host *host, const struct json *request,
                     const struct target *target, struct machine *machine, struct json *result,
                     struct error *err);
