/* The device that a machine has in its tailnet: what the machine's row says of it, and which of those that
 * are seen it is. Pure. */
#pragma once
#include "config/config.h"
#include "event/machine.h"
#include "stage/tailnet_sight.h"

/* It was seen to be one; false: it never was in a tailnet, or not that anybody knows. */
bool own_device_has_joined(const struct machine *machine);
/* It was to join under a name that was free then. */
bool own_device_was_joining(const struct machine *machine);
/* Whether it, or what may have become of a bootstrap, is to be ended with the machine: a login that was there
 * before triphase is not its own to end. */
bool own_device_is_ours(const struct machine *machine);
/* Among those that are seen: by its address; before one was known by its name. NULL: it is not there. */
const struct tailnet_seen *own_device_find(const struct tailnet_sight *sight, const struct machine *machine);
/* Whether nobody among this machine's peers means that it has gone: only where it was one, or, where it broke
 * off before anybody had seen it, where the host itself was logged out. */
bool own_device_would_be_a_peer(const struct machine *machine);

/* What is known of a device, for the row. `socket` and control server are the target's. */
struct own_device {
    const struct words *addresses, *tags;
    const char *node, *name;
    const char *seen_by; /* "api", "peers", "host" */
    bool adopted;        /* it was one before triphase met the host */
};
void own_device_note(struct machine *machine, const struct target *target, const struct own_device *device);
/* That it is going to be one of this name. */
void own_device_note_intent(struct machine *machine, const struct target *target, const char *label);
/* That its host was logged out. */
void own_device_note_left(struct machine *machine);
