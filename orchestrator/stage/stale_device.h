/* What of the devices that stand in the way of a name may be taken out of the tailnet: nobody would get them
 * back. Pure. */
#pragma once
#include "config/config.h"
#include "stage/tailnet_sight.h"

/* Why a device stays that has the target's name and is not its own, for a message; malloc'ed. NULL: it may be
 * removed. `known`: [{"target", "address", "name"}], devices of the store's other machines. */
char *stale_device_stays(const struct target *target, const struct json *known,
                         const struct tailnet_sight *sight, const struct tailnet_seen *seen);
