/* What a bundle has of the project: the recipe, its playbooks and roles, the git commit
 * and what differs from it. */
#pragma once
#include "bundle/parts.h"

int bundle_project_add(struct bundle *bundle, const struct bundle_subject *subject, struct error *err);
