/* Looks at what stands beside the cells of a matrix. Blocking; each look has its bound. */
#pragma once
#include "diagnose/cell_run.h"
#include "diagnose/surroundings.h"

/* Before the cells: this machine's network, the name, the daemons, the masters at the paths. */
void look_before(const struct cell_order *ways, size_t count, const struct words *masters,
                 struct surroundings *out);
/* Behind them, for a transport over which nothing went: the ssh port by itself, whether the host answers
 * at all, pings between the daemons. */
void look_behind(const struct cell_order *way, struct surroundings *out);
/* Sockets of ssh masters that somebody's ssh or a run of this target may share: the run's that go on, and the
 * ControlPath of the user's own configuration. */
void look_for_masters(const struct cell_order *way, const struct words *control_directories,
                      struct words *out);
