/* Where the keys of a machine are known, and what stands there: written from what is known of it, read back
 * where ssh itself learned. */
#pragma once
#include "base/error.h"
#include "config/project.h"
#include "event/machine.h"
#include <stdbool.h>

/* Where the keys of this machine are known: <machine directory>/known_hosts under the name triphase-<id>;
 * false: the user's known_hosts. */
bool known_hosts_are_own(const struct machine *machine, const struct target *target);
/* "triphase-<machine id>", malloc'ed; of a host that is known by an authority the name in its certificate
 * (SSH_CERTIFIED_AS of the machine's resources). */
#define SSH_CERTIFIED_AS "certified_as"
char *known_hosts_alias(const struct machine *machine);
/* Writes <machine directory>/known_hosts from what is known (machine's keys, the target's list or file; what
 * is revoked in any case). Keys learned by accept-new stay, with what is revoked now. Does nothing where the
 * machine has no known_hosts of its own. */
int known_hosts_write(const struct machine *machine, const struct target *target,
                      const char *project_directory, struct error *err);

/* Takes the keys that accept-new learned, from the machine's known_hosts, into a
 * machine of which none is known. */
void known_hosts_learn(struct machine *machine);
