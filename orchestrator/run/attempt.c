#include "run/attempt.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "config/marks.h"
#include "config/ready_step.h"
#include "run/recovery.h"
#include "stage/confirm_settle.h"
#include "verdict/verdict.h"

static char *own(struct attempt *attempt, char *text)
{
    if (text)
        words_own(&attempt->owned, text);
    return text;
}

/* Who the step is, where its files lie and where it runs: the same for a stage and a phase. */
static void describe(const struct run_context *context, const struct attempt_order *order,
                     struct attempt *attempt)
{
    const char *stage = order->stage, *name = stage ? stage : order->phase->name,
               *run = context->request->run_id;
    bool over_transport = !stage || text_is(stage, "destroy") || text_is(stage, STAGE_CONFIRM) ||
                          recovery_is_look(stage) || ready_step_is_stage(stage);
    AUTO_FREE char *log = layout_step_file(order->seq, name, order->number, "log"),
                   *events = layout_step_file(order->seq, name, order->number, "events.ndjson");
    attempt->plan = (struct step_order){
        .seq = order->seq,
        .attempt = order->number,
        .kind = stage ? "stage" : "phase",
        .name = name,
        .run = run,
        .transport = over_transport ? own(attempt, xstrdup_or_null(context->transport)) : NULL,
        .evidence = stage ? NULL : own(attempt, xstrdup_or_null(context->evidence)),
        .log = own(attempt, file_join(context->folder, log)),
        .log_shown = own(attempt, file_join(context->shown, log)),
        .events = stage ? NULL : own(attempt, file_join(context->folder, events)),
        .events_shown = stage ? NULL : own(attempt, file_join(context->shown, events)),
        .scope_name = own(attempt, marks_step_scope(run, order->seq)),
        .scope_marker = own(attempt, marks_step(run, order->seq)),
        .run_scope = &context->run_scope,
        .forensics = {.self = context->self,
                      .console = context->machine
                                     ? own(attempt, file_join(context->machine->directory, "console.log"))
                                     : NULL}};
}

int attempt_prepare(struct run_context *context, const struct attempt_order *order, struct attempt **out,
                    struct error *err)
{
    struct attempt *attempt = xcalloc(1, sizeof *attempt);
    attempt->stage = order->stage;
    attempt->of_stage = (struct attempt_stage)ATTEMPT_STAGE_INIT;
    describe(context, order, attempt);
    if ((order->stage ? attempt_stage_prepare(context, order->stage, order->phase, &attempt->of_stage,
                                              &attempt->plan, err)
                      : attempt_phase_prepare(context, order->phase, order->owed, &attempt->of_phase,
                                              &attempt->plan, err)) < 0) {
        attempt_free(attempt);
        return -1;
    }
    *out = attempt;
    return 0;
}

struct verdict attempt_judge(struct attempt *attempt, const struct evidence *evidence)
{
    return attempt->stage ? attempt_stage_judge(&attempt->of_stage, attempt->stage, evidence)
                          : verdict_of_phase(evidence);
}

void attempt_free(struct attempt *attempt)
{
    if (!attempt)
        return;
    attempt_stage_clear(&attempt->of_stage);
    attempt_phase_clear(&attempt->of_phase);
    words_clear(&attempt->owned);
    free(attempt);
}
