/* Stages: what triphase does itself and may block, in a process of its own that answers what became of it. */
#include "base/memory.h"
#include "verdict/tables.h"

static bool failed(const struct evidence *e)
{
    return e->stage->failed;
}

static bool files_at_fault(const struct evidence *e)
{
    return failed(e) && e->stage->kind == ERROR_PROJECT;
}

static bool left_over(const struct evidence *e)
{
    return failed(e) && text_is(e->stage->stage, "destroy");
}

static bool look_timeout(const struct evidence *e)
{
    return failed(e) && e->stage->look && e->stage->kind == ERROR_DEADLINE;
}

static bool no_way(const struct evidence *e)
{
    return failed(e) && text_is(e->stage->stage, "transport");
}

static bool look_without_a_way(const struct evidence *e)
{
    return failed(e) && e->stage->look && e->stage->kind == ERROR_UNREACHABLE;
}

static bool tailnet_without_a_way(const struct evidence *e)
{
    return failed(e) && e->stage->joins && e->stage->kind == ERROR_UNREACHABLE;
}

static bool not_in_tailnet(const struct evidence *e)
{
    return failed(e) && e->stage->joins;
}

static bool ready_without_a_way(const struct evidence *e)
{
    return failed(e) && e->stage->ready && e->stage->kind == ERROR_UNREACHABLE;
}

static bool not_ready(const struct evidence *e)
{
    return failed(e) && e->stage->ready && e->stage->kind == ERROR_PROVIDER;
}

static bool not_healthy(const struct evidence *e)
{
    return failed(e) && e->stage->health && e->stage->kind == ERROR_DEADLINE;
}

static bool warned(const struct evidence *e)
{
    return e->stage->warning != NULL;
}

static char *say_warning(const struct evidence *e)
{
    return xstrdup(e->stage->warning);
}

static bool signalled(const struct evidence *e)
{
    return !e->end->exited;
}

static bool never_started(const struct evidence *e)
{
    return e->end->exited && e->end->code < 0;
}

static bool strange_code(const struct evidence *e)
{
    return e->end->code != 0;
}

static bool unanswered(const struct evidence *e)
{
    return !e->stage->answered;
}

static char *say_answer(const struct evidence *e)
{
    return xstrdup(e->stage->message);
}

static const char *its_cause(const struct evidence *e)
{
    return e->stage->cause;
}

static char *say_log(const struct evidence *e)
{
    AUTO_FREE char *how = child_end_text(e->end);
    return xasprintf("the stage's process %s: %s", how, e->log_tail);
}

static const char *name_of(enum error_kind kind)
{
    static const char *const names[] = {
        [ERROR_NONE] = "none",         [ERROR_SYSTEM] = "system",           [ERROR_USAGE] = "usage",
        [ERROR_PROJECT] = "project",   [ERROR_MISSING] = "missing",         [ERROR_BUSY] = "busy",
        [ERROR_PROVIDER] = "provider", [ERROR_UNREACHABLE] = "unreachable", [ERROR_DEADLINE] = "deadline",
        [ERROR_STORE] = "store",       [ERROR_CANCELLED] = "cancelled",
    };
    return (size_t)kind < COUNT_OF(names) ? names[kind] : "unknown";
}

static void see(const struct evidence *e, struct text *out)
{
    ended_see(e, out);
    if (e->by == ENDED_BY_DEATH)
        return;
    if (failed(e))
        text_addf(out, ", it answered with an error (%s)%s%s", name_of(e->stage->kind),
                  e->stage->cause ? ", cause " : "", e->stage->cause ? e->stage->cause : "");
    else
        text_add(out, e->stage->answered ? ", it answered" : ", no answer");
}

static const struct verdict_row rows[] = {
    {"died", ended_by_death, OUTCOME_CRASHED, NULL, "triphase itself died while it ran", ended_say_death,
     NULL},
    {"cancelled", ended_by_cancel, OUTCOME_CANCELLED, NULL, "the run was cancelled while it ran",
     ended_say_where, NULL},
    {"deadline", ended_by_deadline, OUTCOME_DEADLINE, "deadline",
     "it did not keep its own bound, or the run's deadline struck", ended_say_more, NULL},
    {"files-at-fault", files_at_fault, OUTCOME_INVALID, NULL, "the project's files are at fault", say_answer,
     its_cause},
    {"left-over", left_over, OUTCOME_LEFTOVER, NULL,
     "the machine could not be removed, or was not seen to be gone", say_answer, its_cause},
    {"look-timeout", look_timeout, OUTCOME_DEADLINE, NULL,
     "the look at the host, or the wait for its jobs, ran out of time", say_answer, its_cause},
    {"no-way", no_way, OUTCOME_UNREACHABLE, NULL, "no transport of the list could be verified", say_answer,
     its_cause},
    {"look-no-way", look_without_a_way, OUTCOME_UNREACHABLE, NULL, "the look at the host found no way there",
     say_answer, its_cause},
    {"tailnet-no-way", tailnet_without_a_way, OUTCOME_UNREACHABLE, NULL,
     "whether the host is in its tailnet could not be asked: no way there", say_answer, its_cause},
    {"not-in-tailnet", not_in_tailnet, OUTCOME_FAILED, NULL,
     "the host is not in its tailnet as was wanted, or another device has its name", say_answer, its_cause},
    {"ready-no-way", ready_without_a_way, OUTCOME_UNREACHABLE, NULL,
     "whether the host is ready could not be asked: no way there, or none any more", say_answer, its_cause},
    {"not-ready", not_ready, OUTCOME_FAILED, "not-ready",
     "the host is not ready: what 'ready' asks of it does not hold, or did not in time", say_answer,
     its_cause},
    {"not-healthy", not_healthy, OUTCOME_UNHEALTHY, NULL,
     "all phases are done, and the host was not healthy within 'health.within' of the last one", say_answer,
     its_cause},
    {"stage-failed", failed, OUTCOME_FAILED, NULL, "it said that it failed", say_answer, its_cause},
    {"signalled", signalled, OUTCOME_CHILD_CRASHED, "signal", "a signal ended its process", say_log, NULL},
    {"not-started", never_started, OUTCOME_CHILD_CRASHED, "exit-code", "its process could not be started",
     say_log, NULL},
    {"exit-code", strange_code, OUTCOME_CHILD_CRASHED, "exit-code",
     "the exit code of its process is not 0, and it answered no error", say_log, NULL},
    {"no-answer", unanswered, OUTCOME_CHILD_CRASHED, "exit-code",
     "its process ended with 0, but without an answer", say_log, NULL},
    {"warned", warned, OUTCOME_OK, NULL, "it did what it was to do, and has a warning", say_warning,
     its_cause},
    {"ok", verdict_always, OUTCOME_OK, NULL, "it did what it was to do, and said so", NULL, NULL},
};

const struct verdict_table verdict_table_of_stages = {"stage", rows, COUNT_OF(rows), false, NULL, see};
