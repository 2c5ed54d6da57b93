#include "event/line_event.h"

#include "base/memory.h"
#include "base/text.h"
#include "event/cause.h"

#include <string.h>

static struct event unreachable(const struct line *line, const char *run, int step, const char *transport)
{
    /* What became of another host is no reason of its own. */
    const char *cause = line->kind == LINE_NEVER_RAN ? NULL : cause_of_text(line->cause_text);
    return (struct event){.kind = EVENT_UNREACHABLE,
                          .run = run,
                          .step = step,
                          .unreachable = {.host = line->host,
                                          .task = line->task,
                                          .cause = cause ? cause : "other",
                                          .cause_source = "message",
                                          .message = line->cause_text,
                                          .transport = transport,
                                          .ignored = line->ignored,
                                          .at_ns = line->wall_ns}};
}

static struct event task(const struct line *line, const char *run, int step)
{
    static const char *const names[] = {[STATUS_OK] = "ok",
                                        [STATUS_CHANGED] = "changed",
                                        [STATUS_FAILED] = "failed",
                                        [STATUS_SKIPPED] = "skipped"};
    return (
        struct event){.kind = EVENT_TASK,
                      .run = run,
                      .step = step,
                      .task = {.host = line->host,
                               .play = line->play,
                               .role = line->role,
                               .task = line->task,
                               .path = line->path,
                               .action = line->action,
                               .status = line->kind == LINE_UNREACHABLE ? "unreachable" : names[line->status],
                               .ignored = line->ignored,
                               .rescued = line->rescued,
                               .async = line->async,
                               .handler = line->handler,
                               .unchecked = line->unchecked,
                               .items = line->items,
                               .started_ns = line->wall_ns - line->duration_ns,
                               .duration_ns = line->duration_ns,
                               .message = line->cause_text}};
}

/* A wait for the host that ran out says that it did not come back: Ansible calls that a failed task. */
static bool did_not_come_back(const struct line *line)
{
    const char *dot = line->action ? strrchr(line->action, '.') : NULL,
               *action = dot ? dot + 1 : line->action;
    return line->kind == LINE_RESULT && line->status == STATUS_FAILED && !line->rescued &&
           (text_is(action, "wait_for_connection") || text_is(action, "reboot")) && line->cause_text &&
           strcasestr(line->cause_text, "timed out waiting for");
}

void line_of_phase(struct line *line, bool reboots)
{
    if (reboots && did_not_come_back(line))
        line->kind = LINE_UNREACHABLE;
}

int line_events(const struct line *line, const char *run, int step, const char *transport, int64_t end,
                struct event out[2])
{
    int count = 0;
    if (line->kind == LINE_UNREACHABLE || line->kind == LINE_NEVER_RAN)
        out[count++] = unreachable(line, run, step, transport);
    if (line->kind == LINE_UNREACHABLE || line->kind == LINE_RESULT)
        out[count++] = task(line, run, step);
    if (line->kind == LINE_TOLD)
        out[count++] = (struct event){
            .kind = EVENT_NOTE, .run = run, .step = step, .note = {"told", line->note, line->wall_ns}};
    if (count)
        out[count - 1].event_bytes = end;
    return count;
}

/* That a connection ended, not why. */
static bool is_vague(const char *cause)
{
    static const char *const vague[] = {"other", "rc-255", "mux-lost", "channel-broken"};
    for (size_t i = 0; i < COUNT_OF(vague); i++)
        if (text_is(cause, vague[i]))
            return true;
    return false;
}

bool line_event_is_vague(const struct event *event)
{
    return is_vague(event->unreachable.cause);
}

void line_event_explain(struct event *event, char *log)
{
    const char *cause = NULL;
    char *state = NULL, *told = NULL, *in_order = NULL;
    for (char *line = strtok_r(log, "\r\n", &state); line; line = strtok_r(NULL, "\r\n", &state)) {
        /* It says "(via proxy)" of one that works. */
        if (text_starts(line, "Authenticated to "))
            continue;
        if (text_starts(line, "Transferred: sent "))
            in_order = line;
        const char *found = cause_of_text(line);
        /* Behind the reason comes what it led to: "Connection reset by peer", then "send
         * disconnect: Broken pipe". */
        if (!found || text_is(found, "other") || (cause && (is_vague(found) || text_is(found, cause))))
            continue;
        cause = found;
        told = line;
    }
    /* Why it ended it tells a terminal alone, which it has not: that the host closed the connection. */
    if (!cause && in_order) {
        cause = "reset";
        told = in_order;
    }
    if (!cause)
        return;
    /* ssh repeats what a server says. */
    for (char *c = told; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
            *c = '?';
    event->unreachable.cause = cause;
    event->unreachable.cause_source = "master-log";
    event->unreachable.message = told == in_order ? "the host closed the connection" : told;
}
