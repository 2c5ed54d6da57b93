/* What `doctor` says of the tailnet: which tailscaled, its state, a TUN, who this machine is in it. */
#pragma once
#include "base/facts.h"
#include "config/project.h"

/* `project` NULL: none was found; then of the system's own daemon, or of triphase's. */
void tailnet_facts_add(const struct project *project, struct facts *out);
