/* The target's vault_passwords for what Ansible is asked before a run: each is read once in a process, those
 * that take their time side by side, and all children that ask are given the same. */
#pragma once
#include "ansible/request.h"

/* --vault-id of each, in a sealed descriptor among out->keep. ERROR_PROJECT: which could not be read, all of
 * them by name; so again to everybody who asks, without reading any anew. Blocking, 30 s at most. */
int vault_passwords_add(const struct project *project, const struct target *target, struct ansible_child *out,
                        struct error *err);
/* Closes all: nobody asks any more. */
void vault_passwords_forget(void);
