/* What playbooks say that Ansible itself does not warn of (playbook/looks.h). Files are read as YAML only;
 * what cannot be read is left to Ansible's own check. */
#pragma once
#include "config/project.h"
#include "playbook/looks.h"
#include "playbook/reads.h"

/* Follows imports, included tasks and roles (of the playbook's and the project's roles folders) that are
 * named without a template; looks at variables and templates beside them. Adds to `out`. */
void scan_playbook(const struct project *project, const char *playbook, struct scan *out);
/* Adds what the phase's playbook reads and writes, as far as YAML tells: imports, included tasks, roles
 * (whole folders, with what they depend on), vars_files, and what words of its tasks name. */
void scan_reads(const struct project *project, const struct phase *phase, struct reads *out);
