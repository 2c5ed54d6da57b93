/* What was made and what the file says of it now: a machine's row beside its target as this call's files,
 * environment and --set have it. One table (made.c) says which keys are compared, and what a difference
 * means; every command asks here. */
#pragma once
#include "provider/made_difference.h"

/* Writes down, into a machine that is about to be made, what was said of it by any layer but the built-in one
 * and by Ansible's variables (as ansible/host_variables.h filled them into the target), and what its provider
 * does not fill in itself. */
void made_note(const struct project *project, const struct target *target, struct machine *machine);
/* `resolved`: how the host would be reached if it were made now (provider's `resolve`); NULL where that is
 * not known. A key that the row does not hold is no difference; nor is one that variables said, where they
 * were not asked now. */
void made_compare(const struct project *project, const struct target *target, const struct machine *machine,
                  const struct machine *resolved, struct made *out);
/* Puts into the machine what is MADE_TAKEN. Not for one with something that is MADE_REFUSES. */
void made_take(const struct project *project, const struct target *target, const struct machine *resolved,
               struct machine *machine);
/* Whether none of the host keys that are said now is one that is known of the machine. Where a side names
 * none, or an authority, nobody can tell. */
bool made_host_keys_differ(const struct target *target, const struct machine *machine);
/* The target as it was when the machine was made, for whoever removes it: a copy that borrows everything
 * and is not freed. */
struct target made_target(const struct target *target, const struct machine *machine);
