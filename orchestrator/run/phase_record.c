#include "run/phase_record.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/ansible_settings.h"
#include "config/marks.h"
#include "playbook/used_files.h"
#include "run/intent.h"

#include <string.h>

/* An ordinary project is looked at in milliseconds. */
#define HURRY_BOUND NS_PER_S

static int start_look(struct phase_record *record, bool at_end, struct error *err);

/* In the child: the files of the phase as they are now. */
static int look_at_files(const void *what, struct text *out, struct error *err)
{
    const struct phase_record *record = what;
    const struct run_context *context = record->context;
    const struct project *project = context->request->project;
    struct ansible_settings settings = {0};
    if (ansible_settings_read(project->directory, NULL, &settings, err) < 0)
        return -1;
    struct used_files_request look = {.project = project,
                                      .phase = record->phase,
                                      .config = settings.config,
                                      .transport = context->transport,
                                      .extra = &context->arguments.extra,
                                      .ran = record->at_end ? &record->ran : NULL,
                                      .since_ns = record->at_end ? 0 : record->started_ns};
    AUTO_JSON *used = used_files_look(&look);
    AUTO_FREE char *text = json_compact(used);
    text_add(out, text);
    ansible_settings_clear(&settings);
    return 0;
}

static void over(struct phase_record *record, const char *failure)
{
    bool awaited = record->ended;
    phase_record_stop(record);
    if (awaited)
        record->done(record->whom, failure);
}

static void put(struct phase_record *record, struct json *used)
{
    used_files_mark_changed(used, record->used);
    intent_done(record->plan, record->phase, used);
    AUTO_FREE char *text = json_compact(record->plan);
    struct event event = {.kind = EVENT_RUN_PLAN,
                          .run = record->context->request->run_id,
                          .of_run = {.plan = text}};
    sink_put(record->sink, &event);
}

static void on_looked(void *context, const char *bytes, size_t length, const struct error *failure)
{
    struct phase_record *record = context;
    struct json *used = failure ? NULL : json_parse(bytes, length, NULL);
    record->aside = NULL;
    if (!used) {
        over(record, failure ? error_text(failure) : "what the child said cannot be read");
    } else if (record->at_end) {
        put(record, used);
        over(record, NULL);
    } else {
        AUTO_ERROR err = ERROR_INIT;
        record->used = used;
        if (record->ended && start_look(record, true, &err) < 0)
            over(record, error_text(&err));
    }
}

static int start_look(struct phase_record *record, bool at_end, struct error *err)
{
    const struct run_context *context = record->context;
    AUTO_FREE char *marker = marks_run(context->request->run_id);
    record->at_end = at_end;
    return aside_start(record->loop, &context->run_scope, marker, look_at_files, record, on_looked, record,
                       &record->aside, err);
}

static void on_hurry(void *context)
{
    over(context, "they could not be looked at before the run had to end");
}

void phase_record_begin(struct phase_record *record, struct loop *loop, const struct run_context *context,
                        struct sink *sink, phase_record_done *done, void *whom)
{
    const char *plan = context->request->plan;
    *record = (struct phase_record){
        .context = context,
        .loop = loop,
        .sink = sink,
        .done = done,
        .whom = whom,
        .plan = plan ? json_parse(plan, strlen(plan), NULL) : NULL,
        .hurry = loop_timer(loop, on_hurry, record),
    };
}

static bool records(const struct phase_record *record)
{
    const struct runner_request *request = record->context->request;
    return record->plan && request->project && !request->partial;
}

void phase_record_begins(struct phase_record *record, const struct phase *phase, int64_t started_ns)
{
    phase_record_stop(record);
    record->phase = phase;
    record->started_ns = started_ns;
    if (records(record))
        (void)start_look(record, false, NULL); /* its end misses it, and says so */
}

int phase_record_ends(struct phase_record *record, const struct words *ran, struct error *err)
{
    if (!records(record)) {
        phase_record_stop(record);
        return 0;
    }
    words_add_list(&record->ran, words_argv(ran));
    record->ended = true;
    if (record->used ? start_look(record, true, err) == 0 : record->aside != NULL)
        return 1;
    if (!record->used)
        error_set(err, ERROR_SYSTEM, "they could not be looked at when it began");
    phase_record_stop(record);
    return -1;
}

void phase_record_hurry(struct phase_record *record)
{
    /* Whoever asks again and again does not put it off. */
    if (!record->hurried)
        timer_arm(record->hurry, HURRY_BOUND);
    record->hurried = true;
}

void phase_record_stop(struct phase_record *record)
{
    aside_stop(&record->aside);
    timer_disarm(record->hurry);
    record->hurried = false;
    json_free(TAKE(record->used));
    words_clear(&record->ran);
    record->ended = false;
}

void phase_record_clear(struct phase_record *record)
{
    phase_record_stop(record);
    timer_free(&record->hurry);
    json_free(TAKE(record->plan));
}
