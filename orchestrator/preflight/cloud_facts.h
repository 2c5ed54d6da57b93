/* Of a cloud that the project's targets are at: whether a token is there, from where, and whether it can be
 * asked at all. Contacts nobody, and reads no secret. */
#pragma once
#include "base/facts.h"
#include "config/config.h"

/* A fact for each token, named after the first target that has it. `project` may be NULL. */
void cloud_facts_add(const struct project *project, struct facts *out);
