#include "event/task_now.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <string.h>

static void drop(struct task_now *now, size_t at)
{
    struct task_run *run = &now->runs[at];
    free(run->host);
    free(run->task);
    free(run->path);
    free(run->uuid);
    now->count--;
    memmove(run, run + 1, (now->count - at) * sizeof *run);
}

/* From the end: what was announced last is looked for most. */
static void drop_announced(struct task_now *now)
{
    for (size_t at = now->count; at--;)
        if (!now->runs[at].host)
            drop(now, at);
}

/* A host does one task at a time. */
static void drop_host(struct task_now *now, const char *host)
{
    for (size_t at = 0; host && at < now->count; at++)
        if (text_is(now->runs[at].host, host)) {
            drop(now, at);
            return;
        }
}

/* Under whatever collection it is called. */
static bool is_action(const struct line *line, const char *name)
{
    const char *dot = line->action ? strrchr(line->action, '.') : NULL;
    return text_is(dot ? dot + 1 : line->action, name);
}

static void begin(struct task_now *now, const struct line *line, const char *host)
{
    drop_announced(now);
    drop_host(now, host);
    if (now->count == now->room) {
        now->room = now->room ? 2 * now->room : 8;
        now->runs = xreallocarray(now->runs, now->room, sizeof *now->runs);
    }
    now->runs[now->count++] = (struct task_run){.host = xstrdup_or_null(host),
                                                .task = xstrdup_or_null(line->task),
                                                .path = xstrdup_or_null(line->path),
                                                .uuid = xstrdup_or_null(line->uuid),
                                                .since_ns = moment_monotonic(),
                                                .patient = line->async || is_action(line, "reboot") ||
                                                           is_action(line, "wait_for_connection")};
}

/* What had no host of its own (meta, include) is over with its first result. */
static void end(struct task_now *now, const struct line *line)
{
    struct task_run *last = now->count ? &now->runs[now->count - 1] : NULL;
    if (last && !last->host && text_is(last->uuid, line->uuid))
        drop(now, now->count - 1);
    drop_host(now, line->host);
}

static void clear(struct task_now *now)
{
    while (now->count)
        drop(now, now->count - 1);
}

void task_now_line(struct task_now *now, const struct line *line)
{
    switch (line->kind) {
    case LINE_TASK_START:
        begin(now, line, NULL);
        break;
    case LINE_HOST_START:
        begin(now, line, line->host ? line->host : "?");
        break;
    case LINE_UNREACHABLE:
    case LINE_RESULT:
        end(now, line);
        break;
    case LINE_PLAY_START:
    case LINE_STATS:
    case LINE_END:
        clear(now);
        break;
    default:
        break;
    }
}

const struct task_run *task_now_oldest(const struct task_now *now)
{
    return now->count ? &now->runs[0] : NULL;
}

const struct task_run *task_now_on(const struct task_now *now, const char *host)
{
    for (size_t i = 0; host && i < now->count; i++)
        if (text_is(now->runs[i].host, host))
            return &now->runs[i];
    return task_now_oldest(now);
}

bool task_now_is_patient(const struct task_now *now)
{
    for (size_t i = 0; i < now->count; i++)
        if (now->runs[i].patient)
            return true;
    return false;
}

char *task_now_hosts(const struct task_now *now, const struct task_run *run)
{
    size_t more = 0;
    for (size_t i = 0; run && i < now->count; i++)
        more += &now->runs[i] != run && now->runs[i].host && text_is(now->runs[i].uuid, run->uuid);
    if (!run || !run->host)
        return NULL;
    return more ? xasprintf("%s and %zu more", run->host, more) : xstrdup(run->host);
}

void task_now_clear(struct task_now *now)
{
    clear(now);
    free(TAKE(now->runs));
    now->room = 0;
}
