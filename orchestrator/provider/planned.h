/* A host that is not made yet, as far as it is known. */
#pragma once
#include "base/error.h"
#include "config/project.h"
#include "event/machine.h"

/* What a target says of its host before anything is made: for plans and for rendering without contact.
 * Free with machine_free. */
struct machine *planned_machine(const struct project *project, const struct target *target);
/* A host that is there without having been made (provider_facts, existing), known as `create` would know it
 * under that id, with what is to be written about it in `folder`. NULL with the provider's own error. */
struct machine *planned_as_made(const struct project *project, const struct target *target, const char *id,
                                const char *folder, struct error *err);
