/* One attempt of an item: all that its step needs (argv, environment, files, descriptors), and what its end means. The runner (run/runner.h) decides what comes next; here is how each is
 * done. */
#pragma once
#include "run/attempt_phase.h"
#include "run/attempt_stage.h"

struct attempt {
    struct step_plan plan;
    const char *stage; /* NULL: a phase */
    struct attempt_stage of_stage;
    struct attempt_phase of_phase;
    struct words owned; /* strings that the plan points to */
};

/* One attempt of a stage (`stage` not NULL; for "transport" `next` is the phase that needs it) or of a phase. */
int attempt_prepare(struct run_context *context, const char *stage, const struct phase *phase,
                    const struct phase *next, int seq, int number, const struct json *owed,
                    struct attempt **out, struct error *err);
struct verdict attempt_judge(struct attempt *attempt, const struct evidence *evidence);
void attempt_free(struct attempt *attempt); /* NULL is fine */
