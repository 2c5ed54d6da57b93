/* One attempt of an item: all that its step needs (argv, environment, files, descriptors), and what its end
 * means. The runner (run/runner.h) decides what comes next; here is how each is done. */
#pragma once
#include "run/attempt_phase.h"
#include "run/attempt_stage.h"

/* What is to be done: a stage (`phase`, which may be NULL, is the one that needs it), or the phase itself
 * (`stage` NULL). Borrowed until the step is over. */
struct attempt_order {
    const char *stage;
    const struct phase *phase;
    int seq, number;         /* of the step in the run; of the attempt */
    const struct json *owed; /* handlers that earlier attempts of the phase owe; NULL: none */
};

struct attempt {
    struct step_order plan;
    const char *stage; /* NULL: a phase */
    struct attempt_stage of_stage;
    struct attempt_phase of_phase;
    struct words owned; /* strings that the plan points to */
};

int attempt_prepare(struct run_context *context, const struct attempt_order *order, struct attempt **out,
                    struct error *err);
struct verdict attempt_judge(struct attempt *attempt, const struct evidence *evidence);
void attempt_free(struct attempt *attempt); /* NULL is fine */
