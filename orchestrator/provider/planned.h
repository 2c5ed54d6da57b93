/* A host that is not made yet, as far as it is known. */
#pragma once
#include "config/project.h"
#include "event/machine.h"

/* What a target says of its host before anything is made: for plans and for rendering without contact.
 * Free with machine_free. */
struct machine *planned_machine(const struct project *project, const struct target *target);
