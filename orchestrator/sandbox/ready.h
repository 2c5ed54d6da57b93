/* Whether a sandbox answers: not a port, but a command over an authenticated channel, with the machine's own
 * key and the host key it was given before its first boot. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "event/machine.h"
#include "sandbox/owner.h"
#include <stdint.h>

/* Waits, until `deadline` at most, until systemd in the guest says that it is up (running, or degraded by
 * a unit of its own). Gives up at once when the guest's processes are gone; the message then ends with
 * what the console said last. */
int ready_wait(const struct machine *machine, struct deadline deadline, struct error *err);
