/* Which API is asked about a machine, and with which token: what the file says where its target is of this
 * provider, else what was written down when the machine was planned (where the token is to be found, never
 * the token). */
#pragma once
#include "cloud/api.h"
#include "config/project.h"
#include "event/machine.h"

/* Whether the token is to be found: ERROR_PROJECT where not. Reads no secret; `directory` is the
 * project's. */
int hetzner_account_check(const struct target *target, const char *directory, struct error *err);
/* Into the machine's resources. */
void hetzner_account_note(const struct target *target, struct machine *machine);
/* What was noted: endpoint (NULL: nothing was) and where the token is to be found, into settings that have
 * neither. */
void hetzner_account_noted(const struct machine *machine, struct cloud_settings *out);
/* `target` may be NULL, or one of another provider. What is waited for goes to the step's log. */
int hetzner_account_open(const struct target *target, const struct machine *machine, int64_t bound_ns,
                         struct cloud_api **out, struct error *err);
void hetzner_account_close(struct cloud_api **api);
#define AUTO_CLOUD_API __attribute__((cleanup(hetzner_account_close))) struct cloud_api
