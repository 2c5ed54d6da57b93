/* How it is known what belongs to a run, a step or a machine (docs/design.md, "Scopes"): the
 * names of their scopes, and the mark "NAME=VALUE" that every process of theirs has in its
 * environment. Texts are malloc'ed. */
#pragma once
#include "base/words.h"
#include "process/scope.h"
#include <stdbool.h>

char *marks_run(const char *run);
char *marks_step(const char *run, int seq);
/* The run that this very process was started for, by its environment; borrowed, NULL: none. */
const char *marks_own_run(void);
char *marks_machine(const char *machine);
/* Puts the marks of a process of the run into its environment; `seq` 0: of none of its steps. */
void marks_environment(struct words *environment, const char *run, int seq);
/* Whether this entry of an environment is the mark of a step. */
bool marks_is_step(const char *entry);

char *marks_run_scope(const char *run);
char *marks_step_scope(const char *run, int seq);
char *marks_machine_scope(const char *machine);
/* scope_open of the run's scope, and of the one for its masters and agents, which outlive its steps. */
int marks_open_run(const char *run, struct scope *out, struct error *err);
int marks_open_masters(const char *run, struct scope *out, struct error *err);
