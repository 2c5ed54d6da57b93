/* All that can be refused before anything is made, found at once (docs/design.md, "The way of a run"). */
#pragma once
#include "ansible/arguments.h"
#include "base/error.h"
#include "config/config.h"
#include "event/machine.h"
#include "preflight/findings.h"

struct plan_options {
    const struct words *phases;                /* names; NULL: all of the recipe */
    const struct ansible_arguments *arguments; /* behind `--`; may be NULL */
    const struct machine *machine;  /* made already: then what could make it is not asked for; may be NULL */
    const char *const *environment; /* NULL: this process's */
    bool create;                    /* it is to be made: what counts at making alone counts */
    bool bootstraps;                /* what joins the host is looked at whatever `phases` are */
    bool peers_seen_to;             /* peers that are not made are the asker's own business */
    bool forget;                    /* ask Ansible even where a plan is remembered */
    int64_t questions_ns;           /* for all questions to Ansible together; 0: 50 s */
};

/* `target` is as host_variables_fill completed it. 0 and a report (look at plan_error); -1 only when nothing
 * could be looked at (no state folder could be made, say). */
int plan_check(const struct project *project, const struct target *target, const struct plan_options *options,
               struct plan_report *out, struct error *err);
