/* Taking one cell: its work, over its transport, by its client, once, and how that went. Blocking, in a child
 * of its own that is ended when its time is over. */
#pragma once
#include "diagnose/cell.h"
#include "diagnose/cell_order.h"

/* Fills `io` behind its parameters. Of these "master" is the path of a mux master's socket that the client
 * openssh rides on, "mux" true one of its own. -1 where nothing could be tried. */
int cell_run(const struct cell_order *order, struct cell *io, struct error *err);
