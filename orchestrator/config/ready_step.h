/* What has to hold of a host before its first phase: one entry of a target's `ready`, in order. */
#pragma once
#include "base/words.h"
#include "format/node.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ready_kind { READY_CLOUD_INIT, READY_APT, READY_REBOOT, READY_SYSTEMD, READY_USER, READY_COMMAND };

struct ready_step {
    enum ready_kind kind;
    struct words command; /* READY_COMMAND: a program of the host and its arguments */
    int64_t within_ns;
    bool by_default; /* the provider's: where the host has no such thing it is passed over */
};

/* Those that are written as a word, NULL-terminated: all but READY_COMMAND. */
const char *const *ready_step_words(void);
/* "apt", "command" */
const char *ready_step_name(enum ready_kind kind);
/* As its stage is called: "ready-apt". */
const char *ready_step_stage(enum ready_kind kind);
/* Whether it is a stage of one of them. */
bool ready_step_is_stage(const char *stage);
/* How it is shown: "apt", or the command's words quoted for a shell. malloc'ed. */
char *ready_step_shown(const struct ready_step *step);

/* From a list that has been checked (config/check.h). `by_default`: it is the provider's, since nothing
 * says another. The caller frees with ready_steps_free. */
struct ready_step *ready_steps_of(const struct node *list, bool by_default, size_t *count);
void ready_steps_free(struct ready_step *steps, size_t count);
