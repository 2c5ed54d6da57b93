/* All that can be refused before anything is made, found at once (CONTRACT.md, `plan`). */
#pragma once
#include "action/ansible.h"
#include "base/error.h"
#include "data/config.h"
#include "data/machine.h"
#include "mechanism/json.h"

struct plan_finding {
    bool refuses;         /* else a warning */
    enum error_kind kind; /* of one that refuses */
    char *where;          /* "recipe vault, phase install" or "playbooks/x.yml:12"; may be NULL */
    char *text;
};

struct plan_report {
    char *target;
    struct plan_finding *findings;
    size_t count;
    struct json *evidence; /* of the transports; see transport_choose */
    bool remembered;       /* an unchanged plan that passed before: Ansible was not asked again */
    char *ansible_version; /* NULL: not found */
};

struct plan_options {
    const struct words *phases;                /* names; NULL: all of the recipe */
    const struct ansible_arguments *arguments; /* behind `--`; may be NULL */
    const struct machine *machine;             /* made already: then what could make it is not asked for; may be NULL */
    const char *const *environment;            /* NULL: this process's */
    bool forget;                               /* ask Ansible even where a plan is remembered */
};

/* 0 and a report (look at plan_error); -1 only when nothing could be looked at (no state folder could be made, say). */
int plan_check(const struct project *project, const struct target *target, const struct plan_options *options, struct plan_report *out,
               struct error *err);
void plan_report_free(struct plan_report *report);
/* 0 when nothing refuses; else -1 and an error that lists what does, with the kind that counts (project before missing before usage). */
int plan_error(const struct plan_report *report, struct error *err);
struct json *plan_json(const struct plan_report *report);
