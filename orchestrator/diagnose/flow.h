/* What a path loses: a calm flow, one small round trip after the other, so that nothing on the way is
 * ever full of it. Segments that were sent again are counted by the kernels of both ends, where the
 * connection is theirs; and where one is not (the userspace network of a tailscaled, a rule in the host's
 * own way out) each loss shows as a round that waited for a retry. Blocking, by a session of this
 * program's own. */
#pragma once
#include "base/deadline.h"
#include "diagnose/cell_run.h"
#include "diagnose/surroundings.h"

/* Fills segments, segments_again, rounds and rounds_late of the way as far as they were counted; on
 * failure they stay as they are. */
int flow_look(const struct cell_order *order, struct surroundings_way *way, struct error *err);
/* Reads what `ss -tinOH` says of one connection. False where it says nothing of its segments. */
bool flow_read(const char *said, int64_t *segments, int64_t *again);
/* How many of the rounds waited for a retry: no kernel retries sooner than after a fifth of a second. */
int flow_late(const int64_t *rounds, int count);
