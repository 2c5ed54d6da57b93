/* What a person may say to ansible-playbook behind `--` (docs/contract.md, "Commands"). */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include <stdbool.h>

struct ansible_arguments {
    struct words words; /* as given */
    bool partial;       /* --tags --skip-tags --limit --check --start-at-task: the run is out of statistics */
    bool check;         /* --check: nothing is changed */
    char *extra_digest; /* SHA-256 of all -e, hex; NULL: none */
    struct words extra; /* the -e values, in order (for prompts that they answer) */
};
/* ERROR_USAGE for what is refused (inventories, prompts, connection options, listings, playbooks) and for
 * options that ansible-playbook does not know. */
int ansible_arguments_check(const char *const *words, struct ansible_arguments *out, struct error *err);
void ansible_arguments_clear(struct ansible_arguments *arguments);
