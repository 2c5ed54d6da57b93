/* Whether mitogen carries the phases that ask for it (launcher/triphase_mitogen.py is what does it). */
#pragma once
#include "base/words.h"
#include "config/project.h"

/* Adds PHASE=WHY for each phase of the target's recipe that asks for mitogen and has to do without: the
 * interpreter of the project's ansible-playbook has none that was tried with this Ansible, or a play or a
 * setting is not what mitogen does as Ansible does. Asks that interpreter, 10 s at most, and reads the
 * playbooks: not for a loop. */
void mitogen_refusals(const struct project *project, const struct target *target, struct words *out);
/* Where the user says that mitogen is, "" where nobody does: TRIPHASE_MITOGEN of a phase that it carries.
 * Borrowed. `environment` NULL: this process's. */
const char *mitogen_folder(const char *const *environment);
