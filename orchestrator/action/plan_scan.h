/* What playbooks say that Ansible itself does not warn of: prompts, templated host patterns, and
 * synchronous restarts of what carries the connection. Files are read as YAML only; what cannot be read is
 * left to Ansible's own check. */
#pragma once
#include "action/plan_reads.h"
#include "data/project.h"
#include <stdbool.h>
#include <stddef.h>

enum scan_kind {
    SCAN_PROMPT,    /* text: the variable */
    SCAN_TEMPLATED, /* text: the host pattern */
    SCAN_DYNAMIC, /* add_host or group_by: later plays may match hosts that no inventory knows; text: the module */
    SCAN_RESTART, /* text: the service */
};

struct scan_item {
    enum scan_kind kind;
    char *where; /* "playbooks/x.yml:12" */
    char *text;
};

struct scan {
    struct scan_item *items;
    size_t count;
};

/* Follows imports, included tasks and roles (of the playbook's and the project's roles folders) that are
 * named without a template. Adds to `out`. */
void scan_playbook(const struct project *project, const char *playbook, struct scan *out);
/* Adds what the phase's playbook reads and writes, as far as YAML tells: imports, included tasks, roles (whole folders, with what they depend on), vars_files,
 * and what words of its tasks name. */
void scan_reads(const struct project *project, const struct phase *phase, struct reads *out);
void scan_free(struct scan *scan);
