/* Every way to one host side by side: how far a connection of this program's own gets over it, how quick
 * and how wide it is, and which sizes of output come through. Each in a child of its own under a bound,
 * over as few connections as it takes; what would disturb another's figures is taken one after the other.
 * Blocking. */
#pragma once
#include "control/reach.h"

/* One of `reaches` (at least one) for each transport, of one target. `out` gets {"version", "target",
 * "transports": […]} as docs/contract.md has it, each with "verdict": "usable", "hangs" or "unusable". -1
 * only where no child could be started. */
int probe_run(struct reach *reaches, size_t count, struct json **out, struct error *err);
/* Whether any of them is usable. */
bool probe_has_usable(const struct json *report);
