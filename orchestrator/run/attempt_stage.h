/* One attempt of a stage: what its child (stage/stage.h) is asked and how it is started,
 * and what its answer means. */
#pragma once
#include "run/context.h"
#include "step/step.h"

struct attempt_stage {
    struct words argv, environment;
    int request_fd, result_fd, *keep;
    struct json *result; /* once judged; may be NULL */
};
#define ATTEMPT_STAGE_INIT                \
    {                                     \
        .request_fd = -1, .result_fd = -1 \
    }

/* Fills `attempt`, and in `plan` the child and its bounds. `next`: the phase that comes after the stage, or
 * that it puts in order; NULL: none. attempt_stage_clear also after a failure. */
int attempt_stage_prepare(const struct run_context *context, const char *stage, const struct phase *next,
                          struct attempt_stage *attempt, struct step_order *plan, struct error *err);
/* The evidence, with what the stage answered where it came to its own end. */
struct verdict attempt_stage_judge(struct attempt_stage *attempt, const char *stage,
                                   const struct evidence *evidence);
void attempt_stage_clear(struct attempt_stage *attempt);
