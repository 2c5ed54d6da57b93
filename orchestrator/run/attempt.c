#include "run/attempt.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "run/recovery.h"

static char *own(struct attempt *attempt, char *text)
{
    words_own(&attempt->owned, text);
    return text;
}

int attempt_prepare(struct run_context *context, const char *stage, const struct phase *phase,
                    const struct phase *next, int seq, int number, const struct json *owed,
                    struct attempt **out, struct error *err)
{
    const struct runner_request *request = context->request;
    const char *name = stage ? stage : phase->name;
    struct attempt *attempt = xcalloc(1, sizeof *attempt);
    attempt->stage = stage;
    attempt->of_stage = (struct attempt_stage)ATTEMPT_STAGE_INIT;
    struct step_plan *plan = &attempt->plan;
    plan->seq = seq;
    plan->attempt = number;
    plan->kind = stage ? "stage" : "phase";
    plan->name = name;
    plan->run = request->run_id;
    bool over_transport = phase || text_is(stage, "destroy") || recovery_is_look(stage);
    plan->transport = over_transport && context->transport ? own(attempt, xstrdup(context->transport)) : NULL;
    plan->evidence = phase && context->evidence ? own(attempt, xstrdup(context->evidence)) : NULL;
    AUTO_FREE char *log = layout_step_file(seq, name, number, "log");
    AUTO_FREE char *events = layout_step_file(seq, name, number, "events.ndjson");
    plan->log = own(attempt, file_join(context->folder, log));
    plan->log_shown = own(attempt, file_join(context->shown, log));
    if (phase) {
        plan->events = own(attempt, file_join(context->folder, events));
        plan->events_shown = own(attempt, file_join(context->shown, events));
    }
    plan->scope_name = own(attempt, xasprintf("run-%s/%02d", request->run_id, seq));
    plan->scope_marker = own(attempt, xasprintf("TRIPHASE_STEP=%s/%02d", request->run_id, seq));
    plan->run_scope = &context->run_scope;
    plan->forensics.self = context->self;
    if (context->machine)
        plan->forensics.console = own(attempt, file_join(context->machine->directory, "console.log"));
    if ((stage ? attempt_stage_prepare(context, stage, next, &attempt->of_stage, plan, err)
               : attempt_phase_prepare(context, phase, owed, &attempt->of_phase, plan, err)) < 0) {
        attempt_free(attempt);
        return -1;
    }
    *out = attempt;
    return 0;
}

struct verdict attempt_judge(struct attempt *attempt, const struct evidence *evidence)
{
    if (attempt->stage && evidence->by == ENDED_BY_ITSELF)
        return attempt_stage_judge(&attempt->of_stage, attempt->stage, evidence);
    return verdict_of_phase(evidence);
}

void attempt_free(struct attempt *attempt)
{
    if (!attempt)
        return;
    attempt_stage_free(&attempt->of_stage);
    attempt_phase_free(&attempt->of_phase);
    words_free(&attempt->owned);
    free(attempt);
}
