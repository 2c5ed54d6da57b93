/* A plan at work: what its parts go by, and the report that they add to. */
#pragma once
#include "ansible/arguments.h"
#include "config/ansible_settings.h"
#include "config/config.h"
#include "event/machine.h"
#include "format/json.h"
#include "playbook/looks.h"
#include "preflight/findings.h"
#include "tailnet/look.h"

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
    struct words patterns;  /* "PLAYBOOK PATTERN": plays whose hosts are known before */
    struct scan delegates;  /* tasks that are given to a host that may be beyond the target */
    struct ansible_settings settings;
    const struct machine *machine; /* that is made; NULL: none is, or it is not known */
    struct tailnet_look look;      /* one for all that is said of transports; see transport_choose */
    char *inventory;               /* text */
    struct json *expect;
};
