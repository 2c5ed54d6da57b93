/* What `tailscale up` says when it fails, as what it means and what to do: control servers word it
 * differently, the table of join_error.c knows those of Tailscale and headscale. */
#pragma once
#include "base/error.h"

/* Sets the error from all that the program wrote; -1. ERROR_DEADLINE: not Running in time; ERROR_MISSING: it
 * may not speak with the daemon; else ERROR_PROJECT: refused. Its own last words are in the message too. */
int join_error_of(const char *said, struct error *err);
/* The same of a node that is not Running when time is up: by its state and what it says of its own health. */
int join_error_late(const char *state, const char *health, const char *server, struct error *err);
