/* From the values of `operator:` and of a target's `tailnet:` to structs. */
#pragma once
#include "config/invoker.h"
#include "config/project.h"
#include "config/settings.h"

/* The project's `operator:`; `directory` is the project's, and what is wrong goes to `faults`. */
void tailnet_keys_operator(const struct settings_view *view, const char *directory,
                           const struct invoker *invoker, struct words *faults,
                           struct operator_settings *out);
/* Of a target: whether it joins a tailnet, and how. `place` is where the target stands. */
void tailnet_keys_target(const struct settings_view *view, const char *place, struct words *faults,
                         struct target *out);
/* The tailscaled here that carries the connections to a target, whose tailnet is known: its socket
 * (TAILSCALE_SOCKET, else operator.socket, else that of triphase's own daemon where it runs, else tailscale's
 * default), and what it is to be joined to. */
void tailnet_keys_carrier(const char *const *environment, const struct operator_settings *settings,
                          struct target *out);
