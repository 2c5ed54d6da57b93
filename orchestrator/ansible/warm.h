/* An interpreter started ahead of its phase: it has imported Ansible and stands at a gate, having read
 * nothing of the phase, so that the 0.3-0.4 s of its start pass while something else is waited for (a
 * transport, the phase before). launcher/triphase_launch.py is its other half; it begins anew in place
 * when a file that Ansible read at import has changed. Only where a scope is a cgroup: there it can be
 * moved into the scope of a step. */
#pragma once
#include "process/child.h"

struct spare;

/* `command`: interpreter, launcher, ansible-playbook, as launcher_wrap leaves it. `environment` without what
 * only the step knows. It belongs to `scope` until it is taken. Descriptors are closed and the process is
 * ended by warm_dismiss or, after a success of warm_take, are the child's. */
int warm_start(const char *const command[3], const char *const *environment, const char *directory,
               const struct scope *scope, struct spare **out, struct error *err);
/* What both kinds have in common: the launcher in that mode ("--ahead", "--zygote"), and this side of its
 * socket, the caller's. */
int warm_begin(const char *mode, const char *const command[3], const char *const *environment,
               const char *directory, const struct scope *scope, struct child *child, int *end,
               struct error *err);
/* The same by a fork of the zygote behind `control` (ansible/zygote.h), which is `command`'s and was started
 * with `environment`; waits 5 s at most until that stands at its gate. */
int warm_fork(int control, const char *const command[3], const char *const *environment, struct spare **out,
              struct error *err);
/* Makes it the process of `plan`, as child_start would start one, in the plan's scope; the spare is gone
 * then. -1 when it cannot be that: it is dead, another program is asked for, or another environment (what
 * Ansible reads of it, it has read; TRIPHASE_* alone may be others); it is dismissed then. What a wrapper
 * of the interpreter adds to its environment stays. */
int warm_take(struct spare **spare, const struct child_plan *plan, struct child *out, struct error *err);
/* Lets it leave (its exit handlers remove Ansible's temporary folder), or kills it after a
 * second. NULL inside is fine. */
void warm_dismiss(struct spare **spare);
