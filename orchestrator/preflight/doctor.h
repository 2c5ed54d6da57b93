/* Everything that `triphase doctor` looks at, besides what a run's plan checks: rights and programs for
 * sandboxes, scopes, Ansible, the ways of a tailnet, the token of a cloud, the store's file system, and
 * sandboxes that nobody seems to own. Changes nothing, contacts no host. */
#pragma once
#include "base/facts.h"
#include "config/config.h"

/* `project` NULL: there is none here, the defaults are looked at. True when the sandbox provider can work. */
bool doctor_look(const struct project *project, struct facts *out);
