/* Environment variables of this machine that a word of a playbook, a variable or a template reads:
 * `lookup('env', 'A', 'B')`, `query(…)`, `q(…)`. Pure. */
#pragma once
#include "base/words.h"

/* Adds the names that stand there as plain text, each once. */
void variables_find(const char *word, struct words *out);
/* The same of `ansible_env.A`, `ansible_env['A']` and `ansible_facts.env.A`: where a play runs on this
 * machine, these are a phase's too. */
void variables_find_in_facts(const char *word, struct words *out);
