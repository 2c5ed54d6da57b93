/* What a run's figures depend on besides its project: the programs of this machine and their versions. */
#pragma once
#include "base/text.h"

/* Adds "name: version" lines, and what ansible-playbook says of itself. `ansible` is the program; NULL: the
 * one in PATH. What cannot be asked is said to be so; each answer is bounded. */
void tool_versions_add(const char *ansible, struct text *out);
