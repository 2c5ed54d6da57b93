#include "step/watchdog.h"

#include "base/memory.h"
#include "base/moment.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where inotify is not to be had (its instances are counted per user), the log is looked at this often. */
static const int64_t look_every_ns = 250 * NS_PER_MS;

struct watchdogs {
    struct timer *deadline, *silence, *task, *staying;
    int64_t silence_ns, task_ns, leave_ns, task_since, last_activity, last_event, last_output;
    int inotify;
    struct watch *log;
    struct timer *look; /* in its place */
    char *log_path;
    int64_t log_size;
    bool fired;
    watchdog_function *function;
    void *context;
};

static void fire(struct watchdogs *watchdogs, enum ended_by which)
{
    if (watchdogs->fired)
        return;
    watchdogs->fired = true;
    watchdogs->function(watchdogs->context, which);
}

static void on_deadline(void *context)
{
    fire(context, ENDED_BY_DEADLINE);
}

static void on_task(void *context)
{
    fire(context, ENDED_BY_TASK);
}

static void on_staying(void *context)
{
    fire(context, ENDED_BY_STAYING);
}

/* Activity only notes its time; the timer is moved when it fires, so that a chatty play costs nothing here. */
static void on_silence(void *context)
{
    struct watchdogs *watchdogs = context;
    int64_t left = watchdogs->last_activity + watchdogs->silence_ns - moment_monotonic();
    if (left > 0)
        timer_arm(watchdogs->silence, left);
    else
        fire(watchdogs, ENDED_BY_SILENCE);
}

static void on_output(void *context, uint32_t events)
{
    (void)events;
    struct watchdogs *watchdogs = context;
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    while (read(watchdogs->inotify, buffer, sizeof buffer) > 0)
        continue;
    watchdogs->last_activity = watchdogs->last_output = moment_monotonic();
}

static void on_look(void *context)
{
    struct watchdogs *watchdogs = context;
    struct stat log;
    if (stat(watchdogs->log_path, &log) == 0 && log.st_size != watchdogs->log_size) {
        watchdogs->log_size = log.st_size;
        watchdogs->last_activity = watchdogs->last_output = moment_monotonic();
    }
    timer_arm(watchdogs->look, look_every_ns);
}

static int watch_log(struct loop *loop, struct watchdogs *watchdogs, const char *path, struct error *err)
{
    watchdogs->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watchdogs->inotify >= 0 && inotify_add_watch(watchdogs->inotify, path, IN_MODIFY) >= 0)
        return loop_watch(loop, watchdogs->inotify, EPOLLIN, on_output, watchdogs, &watchdogs->log, err);
    fd_close(&watchdogs->inotify);
    struct stat log;
    watchdogs->log_size = stat(path, &log) == 0 ? log.st_size : 0;
    watchdogs->log_path = xstrdup(path);
    watchdogs->look = loop_timer(loop, on_look, watchdogs);
    timer_arm(watchdogs->look, look_every_ns);
    return 0;
}

int watchdogs_start(struct loop *loop, const struct watchdog_limits *limits, watchdog_function *function,
                    void *context, struct watchdogs **out, struct error *err)
{
    struct watchdogs *watchdogs = xcalloc(1, sizeof *watchdogs);
    watchdogs->inotify = -1;
    watchdogs->function = function;
    watchdogs->context = context;
    watchdogs->silence_ns = limits->silence_ns;
    watchdogs->task_ns = limits->task_ns;
    watchdogs->leave_ns = limits->leave_ns;
    watchdogs->last_activity = moment_monotonic();
    watchdogs->deadline = loop_timer(loop, on_deadline, watchdogs);
    watchdogs->silence = loop_timer(loop, on_silence, watchdogs);
    watchdogs->task = loop_timer(loop, on_task, watchdogs);
    watchdogs->staying = loop_timer(loop, on_staying, watchdogs);
    if (limits->log && limits->silence_ns && watch_log(loop, watchdogs, limits->log, err) < 0) {
        watchdogs_stop(&watchdogs);
        return -1;
    }
    if (limits->deadline_ns)
        timer_arm(watchdogs->deadline, limits->deadline_ns);
    if (limits->silence_ns)
        timer_arm(watchdogs->silence, limits->silence_ns);
    *out = watchdogs;
    return 0;
}

void watchdogs_activity(struct watchdogs *watchdogs)
{
    watchdogs->last_activity = watchdogs->last_event = moment_monotonic();
}

void watchdogs_leave(struct watchdogs *watchdogs)
{
    timer_disarm(watchdogs->silence);
    timer_disarm(watchdogs->task);
    timer_arm(watchdogs->staying, watchdogs->leave_ns);
}

void watchdogs_ages(const struct watchdogs *watchdogs, int64_t *event_ns, int64_t *output_ns)
{
    int64_t now = moment_monotonic();
    *event_ns = watchdogs->last_event ? now - watchdogs->last_event : -1;
    *output_ns = watchdogs->last_output ? now - watchdogs->last_output : -1;
}

void watchdogs_task(struct watchdogs *watchdogs, int64_t since_ns)
{
    if (since_ns == watchdogs->task_since)
        return;
    watchdogs->task_since = since_ns;
    int64_t left = since_ns + watchdogs->task_ns - moment_monotonic();
    if (since_ns && watchdogs->task_ns)
        timer_arm(watchdogs->task, left > 0 ? left : 0);
    else
        timer_disarm(watchdogs->task);
}

void watchdogs_stop(struct watchdogs **watchdogs)
{
    struct watchdogs *w = *watchdogs;
    *watchdogs = NULL;
    if (!w)
        return;
    timer_free(&w->deadline);
    timer_free(&w->silence);
    timer_free(&w->task);
    timer_free(&w->staying);
    timer_free(&w->look);
    watch_stop(&w->log);
    fd_close(&w->inotify);
    free(w->log_path);
    free(w);
}
