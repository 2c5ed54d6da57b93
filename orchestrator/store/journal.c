/* A run's journal: runs/RUN/run.ndjson, one JSON object a line for every event but tasks, appended with one
 * write each. The live view follows it, and what could not be committed to the store (its disk full, its lock
 * held) can still be read there. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/subscriber.h"
#include "format/json.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct journal {
    int fd;
    char *path;
    bool torn; /* a line was written in part: the next one begins on its own */
};

static int open_journal(const struct subscriber_place *place, void **self, struct error *err)
{
    AUTO_FREE char *path = file_join(place->run_folder, "run.ndjson");
    int fd = file_create(path, O_WRONLY | O_APPEND, 0600);
    if (fd < 0)
        return error_system(err, errno, "cannot open the run's journal %s", path);
    struct journal *journal = xcalloc(1, sizeof *journal);
    *journal = (struct journal){.fd = fd, .path = TAKE(path)};
    *self = journal;
    return 0;
}

static void add_run(struct json *line, const struct event_run *run, bool end)
{
    json_set_string(line, "run_kind", run->kind);
    json_set_string(line, "target", run->target);
    json_set_integer(line, "started_ns", run->started_ns);
    if (end) {
        json_set_string(line, "outcome", outcome_name(run->outcome));
        json_set_integer(line, "exit", run->exit_code);
        json_set_integer(line, "duration_ns", run->duration_ns);
        json_set_string(line, "message", run->message);
        json_set_string(line, "verdict", run->verdict);
        json_set_string(line, "seen", run->seen);
    }
}

static void add_step(struct json *line, const struct event_step *step, bool end)
{
    json_set_integer(line, "step", step->seq);
    json_set_string(line, "step_kind", step->kind);
    json_set_string(line, "name", step->name);
    json_set_integer(line, "attempt", step->attempt);
    json_set_string(line, "transport", step->transport);
    json_set_string(line, "log", step->log);
    json_set_string(line, "events", step->events);
    json_set_string(line, "accelerated", step->accelerated);
    json_set_string(line, "accelerated_why", step->accelerated_why);
    json_set_integer(line, "started_ns", step->started_ns);
    json_set_integer(line, "started_monotonic_ns", step->started_monotonic_ns);
    json_set_integer(line, "deadline_ns", step->deadline_ns);
    if (!end)
        return;
    json_set_string(line, "outcome", outcome_name(step->outcome));
    json_set_integer(line, "duration_ns", step->duration_ns);
    json_set_string(line, "cause", step->cause);
    json_set_string(line, "message", step->message);
    json_set_string(line, "verdict", step->verdict);
    json_set_string(line, "seen", step->seen);
    json_set_integer(line, "ok", step->ok);
    json_set_integer(line, "changed", step->changed);
    json_set_integer(line, "failed", step->failed);
    json_set_integer(line, "unreachable", step->unreachable);
    json_set_integer(line, "survivors_here", step->survivors_here);
}

static int put(void *self, const struct event *event, struct error *err)
{
    struct journal *journal = self;
    static const char *const names[] = {
        [EVENT_RUN_BEGIN] = "run_begin",     [EVENT_RUN_END] = "run_end",   [EVENT_RUN_PLAN] = NULL,
        [EVENT_STEP_BEGIN] = "step_begin",   [EVENT_STEP_END] = "step_end", [EVENT_TASK] = NULL,
        [EVENT_UNREACHABLE] = "unreachable", [EVENT_MACHINE] = "machine",   [EVENT_NOTE] = "note",
        [EVENT_HOST_LOOK] = "host_look",     [EVENT_SAMPLE] = NULL,
    };
    if (!names[event->kind])
        return 0;
    AUTO_JSON *line = json_new_object();
    json_set_string(line, "event", names[event->kind]);
    json_set_string(line, "run", event->run);
    json_set_integer(line, "t", moment_wall());
    switch (event->kind) {
    case EVENT_RUN_BEGIN:
    case EVENT_RUN_END:
        add_run(line, &event->of_run, event->kind == EVENT_RUN_END);
        break;
    case EVENT_STEP_BEGIN:
    case EVENT_STEP_END:
        add_step(line, &event->of_step, event->kind == EVENT_STEP_END);
        break;
    case EVENT_HOST_LOOK:
        json_set_integer(line, "step", event->step);
        json_set_integer(line, "survivors_host", event->of_step.survivors_host);
        json_set_string(line, "host_evidence", event->of_step.host_evidence);
        break;
    case EVENT_UNREACHABLE:
        json_set_string(line, "host", event->unreachable.host);
        json_set_string(line, "task", event->unreachable.task);
        json_set_string(line, "cause", event->unreachable.cause);
        json_set_bool(line, "ignored", event->unreachable.ignored);
        json_set_string(line, "message", event->unreachable.message);
        break;
    case EVENT_MACHINE:
        json_set(line, "machine", machine_to_json(event->machine));
        break;
    case EVENT_NOTE:
        json_set_string(line, "kind", event->note.kind);
        json_set(line, "detail",
                 event->note.detail
                     ? json_parse(event->note.detail, __builtin_strlen(event->note.detail), NULL)
                     : json_new_null());
        break;
    case EVENT_RUN_PLAN:
    case EVENT_TASK:
    case EVENT_SAMPLE:
        break;
    }
    AUTO_TEXT bytes = TEXT_INIT;
    AUTO_FREE char *compact = json_compact(line);
    text_addf(&bytes, "%s%s\n", journal->torn ? "\n" : "", compact);
    journal->torn = file_write_all(journal->fd, text_string(&bytes), bytes.length) < 0;
    if (journal->torn)
        return error_system(err, errno, "cannot write %s", journal->path);
    return 0;
}

static int close_journal(void *self, int64_t bound_ns, struct error *err)
{
    (void)bound_ns, (void)err;
    struct journal *journal = self;
    close(journal->fd);
    free(journal->path);
    free(journal);
    return 0;
}

const struct subscriber subscriber_journal = {
    .name = "the journal",
    .needed = true,
    .open = open_journal,
    .event = put,
    .close = close_journal,
};
