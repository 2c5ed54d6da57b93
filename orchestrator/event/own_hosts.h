/* The hosts that a step is about: the target's and its peers', by their names in the inventory. Every other
 * one is beyond them, but for this machine, which every play may name. */
#pragma once
#include "base/words.h"
#include "config/project.h"
#include <stdbool.h>

/* Names as Ansible knows this machine by them without an inventory. */
bool own_hosts_are_here(const char *name);
/* `own` NULL: every host is. */
bool own_hosts_have(const struct words *own, const char *name);
/* Of a target, made or not. Adds to `out`. */
void own_hosts_of(const struct project *project, const struct target *target, struct words *out);
