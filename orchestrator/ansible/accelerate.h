/* What a phase's Ansible is really made faster with, of what its configuration asks for
 * (config/accelerate.h): decided here alone, each time that an attempt of the phase is prepared. */
#pragma once
#include "base/words.h"
#include "config/accelerate.h"
#include "config/project.h"

struct acceleration {
    enum accelerate kind;
    char *why; /* where it is not what was asked for; else NULL */
};
#define ACCELERATION_INIT                    \
    {                                        \
        .kind = ACCELERATE_NONE, .why = NULL \
    }

/* `no_mitogen`: of mitogen_refusals; NULL: none. */
void accelerate_decide(const struct project *project, const struct target *target, const struct phase *phase,
                       const struct words *no_mitogen, struct acceleration *out);
void acceleration_clear(struct acceleration *acceleration);
#define AUTO_ACCELERATION __attribute__((cleanup(acceleration_clear))) struct acceleration
