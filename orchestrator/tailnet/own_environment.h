/* What programs of Tailscale see of this process's environment: what they need, and nothing that an operator
 * keeps there (the daemon lives for weeks). Not the terminal they were started from either: `tailscale up`
 * would ask there. */
#pragma once
#include "base/words.h"

void own_environment(struct words *out);
