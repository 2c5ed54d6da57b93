/* The private agent of a command that connects by itself, for a key whose passphrase triphase was given (action/key_agent.h). */
#pragma once
#include "base/error.h"
#include "data/config.h"
#include "data/machine.h"
#include "data/ssh_arguments.h"

/* An agent for as long as this process lives, also when it becomes another program: a guard ends it then, however that comes. `directory` gets its folder, for
 * ssh_arguments_make, malloc'ed; it stays as it was where the key needs none. */
int own_agent_start(const struct project *project, const struct target *target, const struct machine *machine,
                    enum transport_kind kind, char **directory, struct error *err);
