/* One ansible-playbook child: argv, environment, files and descriptors
 * (docs/contract.md, "What phases find"). Nothing is started here. */
#pragma once
#include "ansible/request.h"

/* ERROR_PROJECT when a secret cannot be read. */
int ansible_child_prepare(const struct ansible_request *request, struct ansible_child *out,
                          struct error *err);
/* The environment that such a child will have, less what is the step's own (TRIPHASE_STEP, TRIPHASE_EVENTS,
 * …), for an interpreter started ahead of its phase. Of the request project, target, phase, run,
 * callback_directory, fact_cache, control_directory and environment are read. */
int ansible_child_environment_ahead(const struct ansible_request *request, struct words *out,
                                    struct error *err);
