#include "action/task_now.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <string.h>

enum { HOSTS_MOST = 64 };

static void drop(struct words *words, const char *word)
{
    for (size_t i = 0; word && i < words->count; i++)
        if (text_is(words->items[i], word)) {
            free(words->items[i]);
            words->items[i] = words->items[--words->count];
            words->items[words->count] = NULL;
            return;
        }
}

static void end_task(struct task_now *now)
{
    free(TAKE(now->task));
    free(TAKE(now->path));
    free(TAKE(now->uuid));
    words_free(&now->waiting);
    now->patient = false;
}

static void begin_play(struct task_now *now, const struct line *line)
{
    const struct json *hosts = json_get(line->json, "hosts");
    end_task(now);
    words_free(&now->hosts);
    for (size_t i = 0; i < json_count(hosts) && i < HOSTS_MOST; i++)
        words_add(&now->hosts, json_string(json_at(hosts, i), "?"));
}

/* Under whatever collection it is called. */
static bool is_action(const struct line *line, const char *name)
{
    const char *dot = line->action ? strrchr(line->action, '.') : NULL;
    return text_is(dot ? dot + 1 : line->action, name);
}

static void begin_task(struct task_now *now, const struct line *line)
{
    end_task(now);
    now->task = xstrdup_or_null(line->task);
    now->path = xstrdup_or_null(line->path);
    now->uuid = xstrdup_or_null(line->uuid);
    now->since_ns = moment_monotonic();
    words_add_list(&now->waiting, words_argv(&now->hosts));
    now->patient = line->async || is_action(line, "reboot") || is_action(line, "wait_for_connection");
}

void task_now_line(struct task_now *now, const struct line *line)
{
    switch (line->kind) {
    case LINE_PLAY_START:
        begin_play(now, line);
        break;
    case LINE_TASK_START:
        begin_task(now, line);
        break;
    case LINE_UNREACHABLE:
        if (!line->ignored)
            drop(&now->hosts, line->host);
        __attribute__((fallthrough));
    case LINE_RESULT:
        if (text_is(line->uuid, now->uuid))
            drop(&now->waiting, line->host);
        if (!now->waiting.count)
            now->patient = false;
        break;
    case LINE_STATS:
    case LINE_END:
        end_task(now);
        break;
    default:
        break;
    }
}

char *task_now_host(const struct task_now *now)
{
    if (!now->waiting.count)
        return NULL;
    return now->waiting.count == 1
               ? xstrdup(now->waiting.items[0])
               : xasprintf("%s and %zu more", now->waiting.items[0], now->waiting.count - 1);
}

void task_now_free(struct task_now *now)
{
    end_task(now);
    words_free(&now->hosts);
}
