/* The secrets of an ansible-playbook child: each is read when the child is made, and kept in sealed files of
 * memory that only its processes hold. Nothing of them is in argv, environment or a file. */
#pragma once
#include "ansible/request.h"

/* The variable of the key that a bootstrap joins its host to the tailnet with. */
#define SECRETS_AUTH_KEY "triphase_tailnet_auth_key"

/* The child's two files of what is known as secret (struct ansible_child): open from the first secret
 * that is read to the last. */
int secrets_open(struct ansible_child *out, struct error *err);
/* All are known: closes the first, and names both in the environment. */
int secrets_close(const struct ansible_request *request, struct ansible_child *out, struct error *err);
/* The target's secrets that become variables, where it has any, as an inventory that Ansible asks for.
 * ERROR_PROJECT when one cannot be read, or is no text. */
int secrets_add_variables(const struct ansible_request *request, struct ansible_child *out,
                          struct error *err);
/* --vault-id of each of the target's vault passwords, each in a sealed descriptor among out->keep. `known`:
 * where their values become known; -1: nowhere. */
int secrets_add_vault_passwords(const struct project *project, const struct target *target, int known,
                                struct ansible_child *out, struct error *err);
/* What that added to `from`, once more for another child, in descriptors of its own. */
int secrets_share_vault_passwords(const struct ansible_child *from, struct ansible_child *out,
                                  struct error *err);
