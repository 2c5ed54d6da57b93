/* Making a server with its key and its firewall, in such an order that a kill at any instant leaves nothing
 * that its name and its labels do not find. */
#pragma once
#include "cloud/api.h"
#include "config/project.h"
#include "event/machine.h"

/* What user_data will be, malloc'ed (NULL: none), with a key that is given instead of the real one: so that
 * what is wrong with it is known before anything is made. `first_key` NULL: one of the same length. */
int hetzner_make_user_data(const struct target *target, const char *first_key, char **out, struct error *err);
/* Until the server runs, has an address, and its host keys are known. */
int hetzner_make(const struct target *target, struct machine *machine, struct error *err);
/* Whether hetzner_make was begun with this machine's folder: else nothing of it can be there. */
bool hetzner_make_was_begun(const struct machine *machine);
/* Whether it was begun with this token and at this endpoint; not known: never begun, or no folder. */
enum hetzner_account { HETZNER_ACCOUNT_UNKNOWN, HETZNER_ACCOUNT_SAME, HETZNER_ACCOUNT_ANOTHER };
enum hetzner_account hetzner_make_account(const struct machine *machine, const struct cloud_api *api);
/* What the provider keeps in the machine's folder. */
void hetzner_make_forget(const struct machine *machine);
