/* The question itself: what Ansible says of one host, as seen from each folder of its playbooks
 * (group_vars beside them count too), asked without anything of triphase's own, and not again
 * where nothing changed since. */
#pragma once
#include "base/deadline.h"
#include "config/config.h"

/* Fills *answers: [{connection variables}], values as texts, of secrets only that they are there;
 * empty where nothing of the user's own could say something of the host. False: somebody could not be
 * asked, or gave no answer in time, which stands in the target's `unanswered` then. `until`: of the
 * monotonic clock. Blocking. */
bool host_variables_ask(struct project *project, struct target *target, const char *const *environment,
                        struct deadline deadline, struct json **answers);
