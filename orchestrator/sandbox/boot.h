/* The guest's processes: a keeper (a shell loop that starts the guest again when it reboots) and
 * systemd-nspawn, in the scope machine-<id>, which belongs to the machine and outlives whoever made it. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "base/words.h"
#include "sandbox/owner.h"

/* Starts it; the console goes to console.log in the machine's folder. */
int boot_start(const struct sandbox_owner *owner, struct error *err);
/* Whether nspawn or its keeper is there. */
bool boot_runs(const char *machine_id);
/* Whether somebody listens on a TCP port of the guest's, by what the kernel tells: nothing connects to it.
 * -1: that cannot be told (no cgroups). */
int boot_listens(const char *machine_id, const char *name, int port);
/* Asks the guest to shut down and, when it has not within `grace_ns`, ends it; then removes the scope. Fails
 * when something still runs at `deadline`, or a second from now where that is later. */
int boot_stop(const char *machine_id, const char *name, int64_t grace_ns, struct deadline deadline,
              struct error *err);
/* Removes the empty folders that nspawn and the guest's systemd leave on this machine. */
void boot_clean(const char *machine_id, const char *name);
int boot_left(const char *machine_id, const char *name, struct words *left, struct error *err);
