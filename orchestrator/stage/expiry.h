/* A machine that a run is at work on is not swept from elsewhere: its expiry is put off first. */
#pragma once
#include "config/config.h"
#include "event/machine.h"

/* Brings the machine's expiry to what the target's ttl says now, and beyond `ends_ns`, the run's own
 * deadline; a made one's also where its provider's list reads it. That this cannot be done is no reason
 * to do nothing else: it is said in the step's log, and what to warn of comes back (malloc'ed; NULL: all is
 * well). */
char *expiry_put_off(const struct target *target, struct machine *machine, int64_t ends_ns);
