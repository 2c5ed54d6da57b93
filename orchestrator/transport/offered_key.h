/* The host key that a machine's host shows now, asked for without logging in and
 * without believing it. Blocking. */
#pragma once
#include "base/error.h"
#include "transport/ssh_options.h"

/* One connection over the way that the arguments name, with an empty list of known keys; of several kinds of
 * keys that the host has, one that is known of the machine is asked for first. `out` gets "TYPE KEY",
 * malloc'ed. ERROR_UNREACHABLE, with ssh's own words, where none came. */
int offered_key_ask(const struct machine *machine, const struct target *target, enum transport_kind kind,
                    int64_t bound_ns, char **out, struct error *err);
/* "ED25519 SHA256:…" of such a line (a marker before it is passed over), malloc'ed. */
int offered_key_fingerprint(const char *line, char **out, struct error *err);
