/* The silence that a firewall makes for a client that keeps its connections, measured from outside on a guest
 * of lab/firewall.h. Functions fail the test by themselves. */
#pragma once
#include "lab/firewall.h"

/* How long a control plane, which gives a connection up after `kept_s` seconds of silence, had no answer at
 * the most, in seconds: while the role node_firewall is loaded first, or while it is done the old way
 * (default DROP, what connection tracking knows flushed, connections let in by their first packet); where the
 * guest has Docker, that is started anew after it. Ends when answers come again. */
double silence_of_the_role(struct lab *lab, const struct rig *guest, double kept_s);
double silence_of_old(struct lab *lab, const struct rig *guest, double kept_s);
