/* This machine in its tailnet: over the daemon that is there where that is in the wanted one, else over a
 * daemon of our own. What triphase did not start is looked at and never changed, logged out or stopped. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "tailnet/bring_up_order.h"

#define AUTO_BRING_UP_END __attribute__((cleanup(bring_up_end_clear))) struct bring_up_end

/* ERROR_PROJECT: refused by the settings, by a daemon of somebody else or by the control server;
 * ERROR_MISSING: a program lacks; ERROR_UNREACHABLE: the API; ERROR_DEADLINE: not Running in time;
 * ERROR_BUSY: another one is at it. What it started itself is ended again when it fails. `out` is filled
 * when it is 0. */
int bring_up(const struct bring_up_order *order, struct deadline deadline, struct bring_up_end *out,
             struct error *err);
void bring_up_end_clear(struct bring_up_end *end);
