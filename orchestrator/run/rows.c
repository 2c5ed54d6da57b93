#include "run/rows.h"

#include "base/memory.h"

#include <unistd.h>

static struct event run_row(enum event_kind kind, const struct run_context *context,
                            const struct run_birth *birth)
{
    const struct runner_request *request = context->request;
    const struct machine *machine = context->machine;
    return (struct event){
        .kind = kind,
        .run = request->run_id,
        .of_run = {.id = request->run_id,
                   .kind = request->kind,
                   .target = request->target_name,
                   .recipe = request->target ? request->target->recipe : NULL,
                   .provider = machine           ? machine->provider
                               : request->target ? request->target->provider
                                                 : "none",
                   .project = request->project_name,
                   .group_id = request->group_id,
                   .parent_id = request->parent_id,
                   .machine_id = machine ? machine->id : NULL,
                   .ansible = request->ansible_version,
                   .partial = request->partial,
                   .fresh = birth->fresh,
                   .extra_digest = request->extra_digest,
                   .plan = kind == EVENT_RUN_BEGIN ? request->plan : NULL,
                   .pid = getpid(),
                   .pid_start = process_start_time(getpid()),
                   .boot_id = context->boot_id,
                   .node = context->node,
                   .started_ns = birth->started_ns,
                   .outcome = OUTCOME_NONE,
                   .exit_code = -1},
    };
}

struct event run_rows_begin(const struct run_context *context, const struct run_birth *birth)
{
    return run_row(EVENT_RUN_BEGIN, context, birth);
}

struct event run_rows_end(const struct run_context *context, const struct run_birth *birth,
                          int64_t duration_ns, const struct verdict *verdict, int exit_code)
{
    struct event event = run_row(EVENT_RUN_END, context, birth);
    event.of_run.duration_ns = duration_ns;
    event.of_run.outcome = verdict->outcome;
    event.of_run.exit_code = exit_code;
    event.of_run.message = verdict->message;
    event.of_run.verdict = verdict->row;
    event.of_run.seen = verdict->seen;
    return event;
}

struct event run_rows_machine(const struct run_context *context)
{
    return (
        struct event){.kind = EVENT_MACHINE, .run = context->request->run_id, .machine = context->machine};
}

/* Takes over the detail. */
static void note(struct run_notes notes, const char *kind, struct json *detail)
{
    sink_note(notes.sink, notes.run, notes.step, kind, detail);
    json_free(detail);
}

void run_rows_note_accelerated(struct run_notes notes, const char *asked, const char *used, const char *why)
{
    struct json *detail = json_new_object();
    json_set_string(detail, "asked", asked);
    json_set_string(detail, "used", used);
    json_set_string(detail, "why", why);
    note(notes, "accelerated", detail);
}

void run_rows_note_survivors(struct run_notes notes, const char *words)
{
    note(notes, "survivors", json_new_string(words));
}

void run_rows_note_key_left(struct run_notes notes, const char *words)
{
    note(notes, "key_left", json_new_string(words));
}

void run_rows_note_retry(struct run_notes notes, const struct phase *phase, int next_attempt,
                         enum outcome because)
{
    struct json *detail = json_new_object();
    json_set_string(detail, "phase", phase->name);
    json_set_integer(detail, "next_attempt", next_attempt);
    json_set_string(detail, "because", outcome_name(because));
    note(notes, "retry", detail);
}

void run_rows_note_switched(struct run_notes notes, const char *from, const char *to)
{
    struct json *detail = json_new_object();
    AUTO_FREE char *message =
        xasprintf("%s broke an attempt and could not be verified after that: %s is taken, "
                  "and %s comes last from here on",
                  from, to, from);
    json_set_string(detail, "from", from);
    json_set_string(detail, "to", to);
    json_set_string(detail, "message", message);
    note(notes, "switched", detail);
}

void run_rows_note_watchdog(struct run_notes notes, enum outcome outcome, const struct tally *tally)
{
    struct json *detail = json_new_object();
    json_set_string(detail, "watchdog", outcome_name(outcome));
    json_set_string(detail, "task", tally->task);
    json_set_string(detail, "host", tally->task_host);
    json_set_string(detail, "path", tally->task_path);
    note(notes, "watchdog", detail);
}

void run_rows_note_warning(struct run_notes notes, const struct verdict *verdict)
{
    struct json *detail = json_new_object();
    json_set_string(detail, "warning", verdict->cause);
    json_set_string(detail, "message", verdict->message);
    note(notes, "warning", detail);
}

void run_rows_note_unrecorded(struct run_notes notes, const struct phase *phase, const char *why)
{
    AUTO_FREE char *message = xasprintf("which files the phase %s used is not known, so that a resume does it"
                                        " again: %s",
                                        phase->name, why);
    struct json *detail = json_new_object();
    json_set_string(detail, "warning", "not-recorded");
    json_set_string(detail, "message", message);
    note(notes, "warning", detail);
}

void run_rows_note_async(struct run_notes notes, int jobs, struct json *ids)
{
    struct json *detail = json_new_object();
    json_set_integer(detail, "jobs", jobs);
    json_set(detail, "ids", json_keep(ids));
    note(notes, "async", detail);
}

void run_rows_put_samples(struct run_notes notes, const struct run_birth *birth, const struct json *list)
{
    for (size_t i = 0; i < json_count(list); i++) {
        struct json *stage = json_at(list, i);
        if (json_get_integer(stage, "finished_ns", 0) < birth->started_ns)
            continue;
        json_set_integer(stage, "step", notes.step);
        AUTO_FREE char *detail = json_compact(stage);
        int healthy = json_get_integer(stage, "errors", 0) == 0;
        sink_put(notes.sink, &(struct event){.kind = EVENT_SAMPLE,
                                             .run = notes.run,
                                             .step = notes.step,
                                             .sample = {.kind = "cloud-init",
                                                        .healthy = healthy,
                                                        .detail = detail,
                                                        .at_ns = json_get_integer(stage, "started_ns", 0)}});
    }
}
