/* The secrets that a phase was given, learned from the sealed descriptors that hold them (action/ansible.c). */
#pragma once
#include "data/redact.h"

/* Adds the values of the descriptor's variables, those that are marked {"__ansible_unsafe": VALUE}, or all of it where it is one secret by itself. At most 1 MiB
 * is read, the descriptor's position stays; one that cannot be read adds nothing. */
void redact_sealed_add(struct redact_rules *rules, int fd);
