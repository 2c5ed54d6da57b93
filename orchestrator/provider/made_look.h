/* How a made target is reached now: its row, compared with what the files say, and with what may be taken
 * over put in. */
#pragma once
#include "provider/made.h"

/* `machine` is the row. `out` gets the differences; `now` (may be NULL) the machine to be used, a copy that
 * the caller frees. Asks the user's ssh configuration of a static host. */
void made_look(const struct project *project, const struct target *target, const struct machine *machine,
               struct made *out, struct machine **now);
/* Brings what the user's own files revoke, and whom they trust to certify, into the machine's host keys as it
 * is now: whoever connects by a row asks this first. Where they cannot be asked, what the row says stays. */
void made_look_marks(const struct target *target, struct machine *machine);
/* The machine to be used alone; the caller frees. */
struct machine *made_look_now(const struct project *project, const struct target *target,
                              const struct machine *machine);
