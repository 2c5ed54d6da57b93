#include "step/rows.h"

#include "base/moment.h"
#include "base/text.h"

static struct event row(const struct step_order *plan, const struct step_birth *birth, enum event_kind kind)
{
    return (struct event){
        .kind = kind,
        .run = plan->run,
        .step = plan->seq,
        .of_step = {.seq = plan->seq,
                    .kind = plan->kind,
                    .name = plan->name,
                    .attempt = plan->attempt,
                    .transport = plan->transport,
                    .evidence = plan->evidence,
                    .scope = scope_kind_name(birth->scope),
                    .log = plan->log_shown,
                    .events = plan->events_shown,
                    .accelerated = plan->accelerated,
                    .accelerated_why = plan->accelerated_why,
                    .started_ns = birth->started_ns,
                    .deadline_ns = plan->limits.of[WATCHDOG_DEADLINE],
                    .started_monotonic_ns = birth->started_monotonic_ns,
                    .exit_code = -1,
                    .signal = -1,
                    .cpu_usec = -1,
                    .survivors_host = -1,
                    .host_evidence = "nobody looked"},
    };
}

/* The look comes after the row, since it may take as long as the step did; it changes the row then. */
static const char *unlooked(const struct step_order *plan, const struct verdict *verdict)
{
    if (!text_is(plan->kind, "phase"))
        return "nobody looked: a stage runs nothing on the host";
    return outcome_may_leave(verdict->outcome, verdict->cause)
               ? "nobody looked yet: the next contact with the host makes up for it"
               : "nobody looked: the phase came to its own end";
}

struct event step_rows_begin(const struct step_order *plan, const struct step_birth *birth)
{
    return row(plan, birth, EVENT_STEP_BEGIN);
}

struct event step_rows_end(const struct step_order *plan, const struct step_birth *birth,
                           const struct step_result *result)
{
    const struct verdict *verdict = result->verdict;
    const struct child_end *child = result->child;
    const struct tally *tally = result->tally;
    struct event event = row(plan, birth, EVENT_STEP_END);
    struct event_step *end = &event.of_step;
    end->duration_ns = moment_monotonic() - birth->started_monotonic_ns;
    end->outcome = verdict->outcome;
    end->cause = verdict->cause;
    end->message = verdict->message;
    end->verdict = verdict->row;
    end->seen = verdict->seen;
    if (verdict->found)
        end->evidence = verdict->found;
    end->exit_code = child->exited ? child->code : -1;
    end->signal = child->exited ? -1 : child->signal;
    end->ok = tally->ok;
    end->changed = tally->changed;
    end->failed = tally->failed;
    end->skipped = tally->skipped;
    end->unreachable = tally->unreachable + (result->by == ENDED_BY_TRANSPORT);
    end->ignored = tally->ignored;
    end->rescued = tally->rescued;
    end->cpu_usec = result->cpu_usec;
    end->survivors_here = result->survivors;
    end->host_evidence = unlooked(plan, verdict);
    end->event_bytes = result->event_bytes;
    end->handlers_owed = result->handlers_owed;
    return event;
}
