/* The keys that a run's connections need, in agents that belong to the run as its
 * masters do, in the same scope. */
#pragma once
#include "base/error.h"
#include "config/config.h"
#include "event/machine.h"
#include "process/scope.h"

/* Of one host; does nothing where its key needs no agent. `sockets`: the folder of its connection's;
 * `masters`, `marker`: the scope. */
int keys_load(const struct project *project, const struct target *target, const struct machine *machine,
              const char *sockets, const struct scope *masters, const char *marker, struct error *err);
