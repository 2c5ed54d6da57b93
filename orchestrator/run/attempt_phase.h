/* One attempt of a phase: its inventory, its ansible-playbook (ansible/child.h) and what watches over it. */
#pragma once
#include "ansible/accelerate.h"
#include "ansible/child.h"
#include "run/context.h"
#include "step/order.h"

struct attempt_phase {
    struct ansible_child ansible;
    struct acceleration acceleration;
    struct words own; /* the hosts that it is about */
    enum transport_kind transport;
    char *sockets, *master_log;         /* of the run's connections over it */
    char *target_state, *machine_state; /* what phases keep */
    char *confirm_id;                   /* what its host keeps its way back by; NULL: it is not to */
};

/* Fills `attempt`, and in `plan` (who and where it is are there) the child, its bounds and its
 * watchdogs. `owed`: handlers of earlier attempts, borrowed as the plan is; NULL: none.
 * attempt_phase_clear also after a failure. */
int attempt_phase_prepare(struct run_context *context, const struct phase *phase, const struct json *owed,
                          struct attempt_phase *attempt, struct step_order *plan, struct error *err);
void attempt_phase_clear(struct attempt_phase *attempt);
/* Starts the interpreter of a phase that is to come, unless one stands ready. It saves time where it can be
 * had, so a failure is no error. */
void attempt_phase_look_ahead(struct run_context *context, const struct phase *phase);
