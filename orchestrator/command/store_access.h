/* How report, events and store find what they read: the store of the project that -C or the current folder
 * is in. */
#pragma once
#include "base/error.h"
#include "command/command.h"
#include "event/machine.h"
#include "format/sql.h"

/* malloc'ed .triphase folder of the project; NULL with ERROR_PROJECT where there is no triphase.yml. */
char *store_access_state(const struct command_context *context, struct error *err);
/* The same, with its store open for reading. */
int store_access_open(const struct command_context *context, char **state, struct sql **out,
                      struct error *err);
/* Writes a machine's row as it is now, for who holds its target's lock. */
int store_access_put_machine(const char *store, struct machine *machine, struct error *err);
