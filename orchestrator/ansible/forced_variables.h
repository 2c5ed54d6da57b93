/* The variables that every phase finds (docs/contract.md, "What phases find"). */
#pragma once
#include "ansible/request.h"

/* A file for `-e @`, malloc'ed: no variable of a playbook or inventory overrides them. None is a secret;
 * those are named by reference. */
char *forced_variables(const struct ansible_request *request, struct error *err);
