/* Finding a way to the host and verifying it: the transports of a list one after the other, again while the
 * host may be coming back, each with the evidence of what was tried. Blocking: for the stage `transport`. */
#pragma once
#include "base/error.h"
#include "config/config.h"
#include "event/machine.h"
#include "format/json.h"

/* `request`: transports, bound_ns, alive_count, drop_masters, starting, knocked_ns (stage/stage.h). Fills
 * `result` also where it fails: "evidence" and "cause"; of one that was verified "transport", "session",
 * "boot", "host_ticks", "at_ns", "control_path". The interpreter that was found goes into `machine`. */
int find_transport(const struct project *project, const struct target *target, const struct json *request,
                   struct machine *machine, struct json *result, struct error *err);
