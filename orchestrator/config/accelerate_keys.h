/* The variable that says `accelerate` for a whole command. */
#pragma once
#include "config/environment.h"

/* TRIPHASE_ACCELERATE, where it is set: the value of every target among these spots, and of every phase and
 * recipe that says one itself, unless a name with a path says another. `faults` NULL: what is wrong with it
 * was told. */
void accelerate_keys_environment(struct settings *layers, const struct spots *spots,
                                 const char *const *environment, struct words *faults);
