/* How many segments of a calm flow from the host had to be sent again, by the host's own kernel: what
 * tells a path that loses from one that is slow or breaks off, over each transport alike. Blocking,
 * through the OpenSSH client. */
#pragma once
#include "base/deadline.h"
#include "diagnose/cell_run.h"
#include "diagnose/surroundings.h"

/* Fills segments and segments_again of the way; on failure (a host without `ss` too) they stay as they
 * are. */
int flow_look(const struct cell_order *order, struct surroundings_way *way, struct error *err);
/* Reads what `ss -tinOH` says of one connection. False where it says nothing of its segments. */
bool flow_read(const char *said, int64_t *segments, int64_t *again);
