#include "step/watchdog.h"

#include "base/memory.h"
#include "base/moment.h"

#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEAVE_S = 30 /* what a process has to leave in, once all its tasks have ended */ };

/* Where inotify is not to be had (its instances are counted per user), the log is looked at this often. */
static const int64_t look_every_ns = 250 * NS_PER_MS;

/* When each strikes. */

watchdog_when watchdog_deadline, watchdog_silence, watchdog_task, watchdog_staying;

int64_t watchdog_deadline(const struct watchdog_signs *signs, int64_t limit)
{
    return signs->started_ns + limit;
}

int64_t watchdog_silence(const struct watchdog_signs *signs, int64_t limit)
{
    int64_t last = signs->line_ns > signs->output_ns ? signs->line_ns : signs->output_ns;
    return signs->left_ns ? WATCHDOG_NEVER : (last ? last : signs->started_ns) + limit;
}

int64_t watchdog_task(const struct watchdog_signs *signs, int64_t limit)
{
    return signs->left_ns || !signs->task_ns ? WATCHDOG_NEVER : signs->task_ns + limit;
}

int64_t watchdog_staying(const struct watchdog_signs *signs, int64_t limit)
{
    (void)limit;
    return signs->left_ns ? signs->left_ns + LEAVE_S * NS_PER_S : WATCHDOG_NEVER;
}

/* All of them. */

struct watchdogs {
    struct phase_limits limits;
    struct watchdog_signs signs;
    struct timer *timer;
    int64_t due; /* what it is armed for */
    int inotify;
    struct watch *log;
    struct timer *look; /* in its place */
    char *log_path;
    bool struck;
    watchdog_function *function;
    void *context;
};

static bool is_set(const struct watchdogs *watchdogs, size_t row)
{
    const struct watchdog_facts *facts = watchdog_facts(row);
    return facts->when && (!facts->key.name || watchdogs->limits.of[row]);
}

/* When the first of them strikes, and which. */
static int64_t first(const struct watchdogs *watchdogs, size_t *which)
{
    int64_t due = WATCHDOG_NEVER;
    for (size_t row = 0; watchdog_facts(row); row++) {
        int64_t at = is_set(watchdogs, row)
                         ? watchdog_facts(row)->when(&watchdogs->signs, watchdogs->limits.of[row])
                         : WATCHDOG_NEVER;
        if (at < due) {
            due = at;
            *which = row;
        }
    }
    return due;
}

static void arm(struct watchdogs *watchdogs, int64_t due)
{
    watchdogs->due = due;
    timer_arm(watchdogs->timer, due - moment_monotonic());
}

static void on_time(void *context)
{
    struct watchdogs *watchdogs = context;
    size_t which = 0;
    int64_t due = first(watchdogs, &which);
    watchdogs->due = WATCHDOG_NEVER;
    if (due > moment_monotonic()) {
        if (due != WATCHDOG_NEVER)
            arm(watchdogs, due);
        return;
    }
    watchdogs->struck = true;
    watchdogs->function(watchdogs->context, ENDED_BY_WATCHDOG + (enum ended_by)which);
}

/* The signs changed. What they put off is seen when the timer fires, so that a chatty
 * play costs nothing here. */
static void changed(struct watchdogs *watchdogs)
{
    size_t which;
    int64_t due = first(watchdogs, &which);
    if (due < watchdogs->due && !watchdogs->struck)
        arm(watchdogs, due);
}

static void see_output(struct watchdogs *watchdogs)
{
    struct stat log;
    if (stat(watchdogs->log_path, &log) < 0 || log.st_size == watchdogs->signs.output_bytes)
        return;
    watchdogs->signs.output_bytes = log.st_size;
    watchdogs->signs.output_ns = moment_monotonic();
    changed(watchdogs);
}

static void on_output(void *context, uint32_t events)
{
    (void)events;
    struct watchdogs *watchdogs = context;
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    while (read(watchdogs->inotify, buffer, sizeof buffer) > 0)
        continue;
    see_output(watchdogs);
}

static void on_look(void *context)
{
    struct watchdogs *watchdogs = context;
    timer_arm(watchdogs->look, look_every_ns);
    see_output(watchdogs);
}

static bool hear_output(const struct watchdogs *watchdogs)
{
    for (size_t row = 0; watchdog_facts(row); row++)
        if (watchdog_facts(row)->hears_output && is_set(watchdogs, row))
            return true;
    return false;
}

static int watch_log(struct loop *loop, struct watchdogs *watchdogs, const char *path, struct error *err)
{
    struct stat log;
    watchdogs->signs.output_bytes = stat(path, &log) == 0 ? log.st_size : 0;
    watchdogs->log_path = xstrdup(path);
    watchdogs->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watchdogs->inotify >= 0 && inotify_add_watch(watchdogs->inotify, path, IN_MODIFY) >= 0)
        return loop_watch(loop, watchdogs->inotify, EPOLLIN, on_output, watchdogs, &watchdogs->log, err);
    fd_close(&watchdogs->inotify);
    watchdogs->look = loop_timer(loop, on_look, watchdogs);
    timer_arm(watchdogs->look, look_every_ns);
    return 0;
}

int watchdogs_start(struct loop *loop, const struct phase_limits *limits, const char *log,
                    watchdog_function *function, void *context, struct watchdogs **out, struct error *err)
{
    struct watchdogs *watchdogs = xcalloc(1, sizeof *watchdogs);
    *watchdogs = (struct watchdogs){.limits = *limits,
                                    .signs.started_ns = moment_monotonic(),
                                    .timer = loop_timer(loop, on_time, watchdogs),
                                    .due = WATCHDOG_NEVER,
                                    .inotify = -1,
                                    .function = function,
                                    .context = context};
    if (log && hear_output(watchdogs) && watch_log(loop, watchdogs, log, err) < 0) {
        watchdogs_stop(&watchdogs);
        return -1;
    }
    changed(watchdogs);
    *out = watchdogs;
    return 0;
}

void watchdogs_activity(struct watchdogs *watchdogs)
{
    watchdogs->signs.line_ns = moment_monotonic();
}

void watchdogs_task(struct watchdogs *watchdogs, int64_t since_ns)
{
    if (since_ns == watchdogs->signs.task_ns)
        return;
    watchdogs->signs.task_ns = since_ns;
    changed(watchdogs);
}

void watchdogs_leave(struct watchdogs *watchdogs)
{
    watchdogs->signs.left_ns = moment_monotonic();
    changed(watchdogs);
}

void watchdogs_ages(const struct watchdogs *watchdogs, int64_t *event_ns, int64_t *output_ns)
{
    int64_t now = moment_monotonic();
    *event_ns = watchdogs->signs.line_ns ? now - watchdogs->signs.line_ns : -1;
    *output_ns = watchdogs->signs.output_ns ? now - watchdogs->signs.output_ns : -1;
}

void watchdogs_stop(struct watchdogs **watchdogs)
{
    struct watchdogs *w = *watchdogs;
    *watchdogs = NULL;
    if (!w)
        return;
    timer_free(&w->timer);
    timer_free(&w->look);
    watch_stop(&w->log);
    fd_close(&w->inotify);
    free(w->log_path);
    free(w);
}
