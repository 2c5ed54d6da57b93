/* What the very Ansible in use knows of its plugins, of the inventories and of the tags that were asked
 * for, and says only when a play begins, if at all: taken along with a listing
 * (launcher/triphase_ask.py), as findings. */
#pragma once
#include "base/words.h"
#include "config/project.h"
#include "preflight/findings.h"
#include <stdbool.h>

struct sought_word { /* a value of --tags, --skip-tags or --start-at-task */
    char *option, *word;
    bool found; /* in some listing */
};

struct plan_plugins {
    struct plan_report *report;
    const struct project *project;
    const struct target *target;
    const char *rendered; /* path of triphase's own inventory */
    bool whole;           /* every listing said what it has: else nothing is told of words that none has */
    struct sought_word *words;
    size_t count;
    struct words tags; /* that tasks have */
};

/* Adds what one listing's output says; nothing where it says nothing. */
void plan_plugins_take(struct plan_plugins *facts, const char *output);
/* Adds what can be told only after all listings, and frees what was gathered. */
void plan_plugins_end(struct plan_plugins *facts);
