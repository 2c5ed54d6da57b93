/* Which transport to take, from evidence of this machine alone. No host is asked. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "config/project.h"
#include "config/transport_kind.h"
#include "format/json.h"
#include <stdbool.h>

/* First usable one of `names` (the phase's, else the target's). `for_contact`: it must be able to carry a
 * run now (a tailscaled that answers, the program tailscale); else only the TUN decides, which is what
 * rendering without contact needs. ERROR_MISSING (none is usable) names each with what it lacks.
 * `evidence` (may be NULL) gets a JSON object {"chosen", "transports": [{"name", "usable", "why"}], "tun":
 * {…} where it was looked at}, on failure too; the caller frees it. */
int transport_choose(const struct words *names, const struct target *target, bool for_contact,
                     enum transport_kind *out, struct json **evidence, struct error *err);
