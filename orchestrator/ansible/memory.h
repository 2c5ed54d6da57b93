/* Plans that passed, remembered by a digest of everything they depend on, so that asking Ansible twice
 * about unchanged files costs nothing. .triphase/plans/<digest> holds the warnings of that plan. */
#pragma once
#include "ansible/arguments.h"
#include "base/digest.h"
#include "config/ansible_settings.h"
#include "config/config.h"
#include "format/json.h"
#include <stdbool.h>

struct ansible_memory_inputs {
    const struct project *project;
    const struct target *target;
    const struct recipe *recipe;
    const struct phase *const *phases; /* that are asked for */
    size_t phase_count;
    const struct words *playbooks; /* of them, as written */
    const struct ansible_settings *settings;
    const struct ansible_arguments *arguments; /* may be NULL */
    const char *const *environment;
    const char *inventory; /* text as rendered */
    const char *version;   /* of Ansible */
};

/* Files count by path, size, inode and times, not by content. false: it cannot be told whether they are
 * unchanged (too many files, an inventory that is a program), so nothing may be remembered. */
bool ansible_memory_digest(const struct ansible_memory_inputs *inputs, char out[DIGEST_TEXT]);
/* The warnings of a remembered plan (an array); NULL when there is none. */
struct json *ansible_memory_recall(const char *state, const char *digest);
/* Best effort: a plan that cannot be remembered is asked again. */
void ansible_memory_keep(const char *state, const char *digest, const struct json *warnings);
