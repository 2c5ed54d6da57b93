/* The part of a plan that only Ansible can tell: syntax, roles, collections, which hosts match, which
 * variables override how the host is reached. */
#pragma once
#include "action/ansible.h"
#include "action/plan_report.h"
#include "data/config.h"
#include "mechanism/json.h"

/* A plan at work. */
struct plan_work {
    const struct project *project;
    const struct target *target;
    const struct recipe *recipe;
    const struct ansible_arguments *arguments; /* behind `--`; may be NULL */
    bool forget;                               /* ask even where a plan is remembered */
    int64_t questions_ns;                      /* for all questions together; 0: the usual */
    struct plan_report *report;
    const char *const *environment;
    char *state;
    const struct phase **phases; /* those that are to run, teardown too */
    size_t phase_count;
    struct words playbooks; /* of them, each once */
    struct ansible_settings settings;
    char *inventory; /* text */
    struct json *expect;
};

/* Asks, unless an unchanged plan that passed is remembered; remembers one that passes. Adds findings.
 * `dynamic`: playbooks whose plays may match hosts that no inventory knows. */
void plan_ask(struct plan_work *work, const struct words *dynamic);
