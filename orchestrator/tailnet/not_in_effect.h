/* What the settings of `operator` ask of a tailscaled that is not ours to set: pure. */
#pragma once
#include "config/tailnet_login.h"
#include "format/json.h"
#include "tailnet/status.h"

/* A note for each that is set and not in effect there, or of which nobody can say whether it is: what it is,
 * and how whoever looks after that daemon sets it. `prefs`: its own settings (local_api_prefs), NULL where it
 * did not tell them. */
void not_in_effect(const struct operator_settings *settings, const char *socket,
                   const struct tailnet_status *status, const struct json *prefs, struct words *notes);
