/* The host keys of a new server, without trusting whoever answers first. A throw-away key that is made here
 * is given to the server by its user_data and pinned for the one connection that reads the host's own public
 * keys; then it is taken away there and here. The host's own private keys never leave it. */
#pragma once
#include "base/deadline.h"
#include "base/text.h"
#include "config/project.h"
#include "event/machine.h"

/* Whether the keys are learnt so, and not said by the target. */
bool hetzner_host_keys_are_learnt(const struct target *target);
/* "throw-away key", "given" or "accept-new". */
const char *hetzner_host_keys_by(const struct target *target);
/* The private throw-away key, made in the machine's folder where it has none yet. Clear it as a secret. */
int hetzner_host_keys_prepare(const struct machine *machine, struct text *private_key, struct error *err);
/* Waits until the host lets in, with the machine's own key, whoever pins the throw-away one; then fills the
 * machine's host keys and takes the throw-away key away. */
int hetzner_host_keys_learn(const struct target *target, struct machine *machine, struct deadline deadline,
                            struct error *err);
/* The throw-away key in the machine's folder. */
void hetzner_host_keys_forget(const struct machine *machine);
/* Public keys, "TYPE KEY", of what the host said. Pure. */
void hetzner_host_keys_read(const char *said, struct words *out);
