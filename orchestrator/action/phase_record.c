#include "action/phase_record.h"

#include "action/used_files.h"
#include "base/memory.h"
#include "data/run_plan.h"

#include <string.h>

void phase_record_begin(struct phase_record *record, const struct item_context *context)
{
    const char *plan = context->request->plan;
    *record = (struct phase_record){
        .context = context,
        .plan = plan ? json_parse(plan, strlen(plan), NULL) : NULL,
    };
}

/* The files of the phase as they are now; NULL where nobody will ask. */
static struct json *look_at_files(const struct phase_record *record, const struct phase *phase,
                                  const struct words *ran)
{
    const struct item_context *context = record->context;
    const struct runner_request *request = context->request;
    struct ansible_settings settings = {0};
    if (!record->plan || !request->project || request->partial ||
        ansible_settings_read(request->project->directory, NULL, &settings, NULL) < 0)
        return NULL;
    struct used_files_request look = {.project = request->project,
                                      .phase = phase,
                                      .config = settings.config,
                                      .transport = context->transport,
                                      .extra = &context->arguments.extra,
                                      .ran = ran};
    struct json *used = used_files_look(&look);
    ansible_settings_free(&settings);
    return used;
}

void phase_record_phase_begins(struct phase_record *record, const struct phase *phase)
{
    json_free(record->used);
    record->used = look_at_files(record, phase, NULL);
}

void phase_record_phase_done(struct phase_record *record, struct sink *sink, const struct phase *phase,
                             const struct words *ran)
{
    struct json *used = look_at_files(record, phase, ran);
    if (used && record->used) {
        used_files_mark_changed(used, record->used);
        run_plan_done(record->plan, phase, used);
        AUTO_FREE char *text = json_compact(record->plan);
        struct event event = {.kind = EVENT_RUN_PLAN,
                              .run = record->context->request->run_id,
                              .of_run = {.plan = text}};
        sink_put(sink, &event);
    } else {
        json_free(used);
    }
    json_free(TAKE(record->used));
}

void phase_record_free(struct phase_record *record)
{
    json_free(record->plan);
    json_free(record->used);
}
