/* One at a time: whoever starts, joins or ends this machine's own tailscaled holds this lock. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"

/* Waits for it until then, woken when a holder lets go (also by its death); ERROR_BUSY when it does not. The
 * place has been made (config/tailnet_place.h). The descriptor is CLOEXEC; closing it gives the lock back. */
int own_lock_take(struct deadline deadline, int *out_fd, struct error *err);
