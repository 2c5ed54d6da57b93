/* One interpreter for all phases of a run: it imports Ansible once and forks each phase. Where tasks are
 * carried out by something that outlives a phase (launcher/triphase_mitogen.py), that is this process's.
 * launcher/triphase_launch.py is its other half. It stands in the run's scope; what it forks is a child of
 * this process and stands there too until it is taken. */
#pragma once
#include "ansible/warm.h"

struct zygote;

/* `command`: interpreter, launcher, ansible-playbook, as launcher_wrap leaves it. `environment` without what
 * only a step knows: a phase with another one begins anew in place. -1 where the scope is no cgroup. */
int zygote_start(const char *const command[3], const char *const *environment, const char *directory,
                 const struct scope *scope, struct zygote **out, struct error *err);
/* A fork of it, for the next phase (ansible/warm.h); waits 5 s at most until it stands at its gate. -1 when
 * there is none: the zygote is dead, or cannot fork. */
int zygote_fork(struct zygote *zygote, struct spare **out, struct error *err);
/* Lets it leave, or kills it after 3 s. NULL inside is fine. */
void zygote_dismiss(struct zygote **zygote);
