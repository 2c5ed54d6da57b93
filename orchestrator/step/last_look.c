#include "step/last_look.h"

#include "base/memory.h"
#include "base/moment.h"

struct last_look {
    struct sink *sink;
    const char *run;
    int step;
    last_look_function *function;
    void *context;
    struct json *facts;
    struct forensics *forensics;
};

static void set_age(struct json *object, const char *key, int64_t ns)
{
    json_set(object, key, ns < 0 ? json_new_null() : json_new_integer(ns / NS_PER_MS));
}

static const char *why(enum ended_by by)
{
    const struct watchdog_facts *watchdog = ended_by_watchdog(by);
    if (by == ENDED_BY_CANCEL)
        return outcome_name(OUTCOME_CANCELLED);
    return watchdog->outcome ? watchdog->outcome : watchdog->cause;
}

struct json *last_look_facts(const struct last_look_known *known)
{
    const struct task_run *run =
        task_now_on(known->now, known->by == ENDED_BY_TRANSPORT ? known->host : NULL);
    struct json *facts = json_new_object();
    int64_t event_ns = -1, output_ns = -1;
    AUTO_FREE char *host = task_now_hosts(known->now, run),
                   *path = transport_watch_words(known->transport_watch);
    if (known->watchdogs)
        watchdogs_ages(known->watchdogs, &event_ns, &output_ns);
    json_set_string(facts, "why", why(known->by));
    json_set_string(facts, "task", run ? run->task : NULL);
    json_set_string(facts, "path", run ? run->path : NULL);
    json_set_string(facts, "host", host ? host : known->host);
    set_age(facts, "task_ms", run ? moment_monotonic() - run->since_ns : -1);
    set_age(facts, "step_ms", moment_monotonic() - known->started_monotonic_ns);
    set_age(facts, "last_event_ms", event_ns);
    set_age(facts, "last_output_ms", output_ns);
    json_set_string(facts, "connection", path);
    return facts;
}

static void on_looked(void *context, struct json *seen)
{
    struct last_look *look = context;
    const char *key;
    struct json *value;
    for (void *at = NULL; json_each(seen, &at, &key, &value);)
        json_set(look->facts, key, json_keep(value));
    sink_note(look->sink, look->run, look->step, "forensics", look->facts);
    look->function(look->context);
}

int last_look_start(struct loop *loop, struct sink *sink, const struct forensics_plan *plan, int step,
                    struct json *facts, last_look_function *function, void *context, struct last_look **out)
{
    struct last_look *look = xcalloc(1, sizeof *look);
    *look = (struct last_look){.sink = sink,
                               .run = plan->run,
                               .step = step,
                               .function = function,
                               .context = context,
                               .facts = facts};
    if (!plan->self || forensics_start(loop, plan, on_looked, look, &look->forensics, NULL) < 0) {
        last_look_stop(&look);
        return -1;
    }
    *out = look;
    return 0;
}

void last_look_stop(struct last_look **at)
{
    struct last_look *look = TAKE(*at);
    if (!look)
        return;
    forensics_stop(&look->forensics);
    json_free(look->facts);
    free(look);
}
