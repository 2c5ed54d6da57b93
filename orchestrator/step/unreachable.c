#include "step/unreachable.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/line_event.h"

#include <sys/stat.h>

enum {
    MASTER_TAIL = 2048,
    EXPLAINED_MOST = 64, /* a step with more is not worth a look into a file for each */
};

struct unreachable_witness unreachable_witness(const char *master_log, const char *host)
{
    struct stat before;
    return (struct unreachable_witness){master_log, host,
                                        master_log && stat(master_log, &before) == 0 ? before.st_size : 0};
}

/* What the master has said since the step began, at most MASTER_TAIL of it. */
static int read_master(const struct unreachable_witness *witness, struct text *tail)
{
    struct stat now;
    if (stat(witness->master_log, &now) < 0 ||
        file_read_tail(witness->master_log, MASTER_TAIL, tail, NULL) < 0)
        return -1;
    off_t begin = now.st_size - (off_t)tail->length;
    if (witness->from > begin) {
        off_t old = witness->from - begin;
        text_drop_front(tail, old < (off_t)tail->length ? (size_t)old : tail->length);
    }
    return 0;
}

/* Ansible's message on a connection that broke under a task is empty; the master that carried it wrote why
 * before it let its clients go. One that was killed wrote nothing, and is gone. `tail` and `words` hold what
 * the row borrows. */
static void explain(struct event *row, const struct unreachable_witness *witness,
                    const struct transport_watch *watch, struct text *tail, char **words)
{
    if (read_master(witness, tail) == 0 && tail->length)
        line_event_explain(row, tail->bytes);
    pid_t gone = text_is(row->unreachable.cause_source, "message") ? transport_watch_gone(watch) : 0;
    if (!gone)
        return;
    *words = xasprintf("the connection's ssh master (pid %d) is gone and did not say why: it was killed",
                       (int)gone);
    row->unreachable.cause = "mux-lost";
    row->unreachable.cause_source = "probe";
    row->unreachable.message = *words;
}

void unreachable_put(struct sink *sink, struct event *row, const struct unreachable_witness *witness,
                     const char *meant, int64_t count, const struct transport_watch *watch)
{
    AUTO_TEXT tail = TEXT_INIT;
    AUTO_FREE char *words = NULL;
    if (witness->master_log && text_is(meant, witness->host) && count <= EXPLAINED_MOST &&
        line_event_is_vague(row))
        explain(row, witness, watch, &tail, &words);
    sink_put(sink, row);
}

void unreachable_put_path(struct sink *sink, const struct unreachable_path *path)
{
    struct event event = {.kind = EVENT_UNREACHABLE, .run = path->run, .step = path->step};
    event.unreachable.host = path->host;
    event.unreachable.task = path->task;
    event.unreachable.cause = "keepalive-timeout";
    event.unreachable.cause_source = "probe";
    event.unreachable.message = path->words;
    event.unreachable.transport = path->transport;
    event.unreachable.at_ns = moment_wall();
    sink_put(sink, &event);
}
