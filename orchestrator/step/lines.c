#include "step/lines.h"

#include "base/memory.h"
#include "event/line_event.h"
#include "process/follow.h"
#include "step/unreachable.h"

enum { LINE_LIMIT = 1 << 20 };

struct step_lines {
    struct sink *sink;
    const struct step_order *plan;
    struct follow *follow; /* NULL: there is no file */
    struct tally tally;
    struct task_now now;
    struct unreachable_witness witness;
    struct watchdogs *watchdogs;
    struct transport_watch *transport_watch;
};

struct step_lines *step_lines_new(struct sink *sink, const struct step_order *plan)
{
    struct step_lines *lines = xcalloc(1, sizeof *lines);
    lines->sink = sink;
    lines->plan = plan;
    lines->tally = (struct tally)TALLY_INIT;
    lines->tally.own = plan->own;
    tally_owe(&lines->tally, plan->pending_handlers);
    return lines;
}

static void tell(struct step_lines *lines, const struct line *line)
{
    const struct task_run *oldest = task_now_oldest(&lines->now);
    transport_watch_be_patient(lines->transport_watch, task_now_is_patient(&lines->now));
    if (lines->watchdogs)
        watchdogs_task(lines->watchdogs, oldest ? oldest->since_ns : 0);
    if (line->kind == LINE_END && lines->watchdogs) {
        watchdogs_leave(lines->watchdogs);
        transport_watch_end(lines->transport_watch); /* nothing goes over it any more */
    }
}

static void put(struct step_lines *lines, const struct line *line)
{
    const struct step_order *plan = lines->plan;
    struct event rows[2];
    int count = line_events(line, plan->run, plan->seq, plan->transport, step_lines_bytes(lines), rows);
    for (int i = 0; i < count; i++) {
        if (rows[i].kind == EVENT_UNREACHABLE)
            unreachable_put(lines->sink, &rows[i], &lines->witness,
                            line->delegate ? line->delegate : line->host, lines->tally.unreachable,
                            lines->transport_watch);
        else
            sink_put(lines->sink, &rows[i]);
    }
}

static void on_line(void *context, const char *bytes, size_t length, bool skipped)
{
    struct step_lines *lines = context;
    struct line line;
    if (lines->watchdogs)
        watchdogs_activity(lines->watchdogs);
    if (skipped || line_parse(bytes, length, &line, NULL) < 0) {
        tally_bad_line(&lines->tally);
        return;
    }
    line_of_phase(&line, lines->plan->reboots);
    tally_line(&lines->tally, &line);
    task_now_line(&lines->now, &line);
    tell(lines, &line);
    put(lines, &line);
    line_clear(&line);
}

int step_lines_follow(struct step_lines *lines, struct loop *loop, struct error *err)
{
    if (!lines->plan->events)
        return 0;
    return follow_start(loop, lines->plan->events, LINE_LIMIT, on_line, lines, &lines->follow, err);
}

void step_lines_watched(struct step_lines *lines, struct watchdogs *watchdogs,
                        struct transport_watch *transport_watch)
{
    lines->witness = unreachable_witness(lines->plan->master_log, lines->plan->host);
    lines->watchdogs = watchdogs;
    lines->transport_watch = transport_watch;
}

void step_lines_unwatched(struct step_lines *lines)
{
    lines->watchdogs = NULL;
}

void step_lines_drain(struct step_lines *lines)
{
    if (lines->follow && follow_drain(lines->follow, true, NULL) < 0)
        tally_bad_line(&lines->tally);
}

const struct tally *step_lines_tally(const struct step_lines *lines)
{
    return &lines->tally;
}

const struct task_now *step_lines_now(const struct step_lines *lines)
{
    return &lines->now;
}

void step_lines_stand(struct step_lines *lines, const char *host)
{
    const struct task_run *run = task_now_on(&lines->now, host);
    AUTO_FREE char *hosts = task_now_hosts(&lines->now, run);
    if (run)
        tally_stand(&lines->tally, run->task, hosts, run->path);
}

char *step_lines_owed(const struct step_lines *lines)
{
    AUTO_JSON *owed = tally_owed(&lines->tally, false);
    return owed ? json_compact(owed) : NULL;
}

int64_t step_lines_bytes(const struct step_lines *lines)
{
    return lines->follow ? follow_offset(lines->follow) : 0;
}

void step_lines_free(struct step_lines *lines)
{
    if (!lines)
        return;
    follow_stop(&lines->follow);
    task_now_clear(&lines->now);
    tally_clear(&lines->tally);
    free(lines);
}
