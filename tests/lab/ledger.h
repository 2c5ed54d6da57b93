/* What Ansible says of a playbook, a line each (tests/cases/truth/callback_plugins/ledger.py): by itself, and
 * as a phase's Ansible in each mode of `accelerate`, on the lab's own sshd. */
#pragma once
#include "../lab/lab.h"

/* A line of triphase.yml(5) that says what is not as without triphase, where it shows. */
struct ledger_allowed {
    const char *manual;        /* words of that line, from the list of what is not as without mitogen */
    bool each_mode;            /* it is not mitogen's, and stands elsewhere */
    const char *ansible;       /* begin of the version; NULL: each */
    const char *line;          /* with what the lines of Ansible by itself begin */
    const char *stock, *there; /* what stands in them, and what stands there in that mode */
};

/* A project for them (lab_phase_project), with the files of tests/cases/truth in cases/. */
struct lab *ledger_project(const char *ansible);
/* Runs NAME.yml of tests/cases/FOLDER by Ansible itself and in each mode, each time from the same state, and
 * fails the test (and goes on) where a mode differs: in a line of what Ansible says, in a row of the store,
 * in Ansible's exit code; or modes between themselves in what became of the phase. `ansible`: of
 * ledger_project. `arguments`: of ansible-playbook, NULL-ended. `allowed`: ended by one without `manual`;
 * each has to be there and in the manual. */
void ledger_expect_same(struct lab *lab, const char *ansible, const char *folder, const char *name,
                        const char *const *arguments, const struct ledger_allowed *allowed);
