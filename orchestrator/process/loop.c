#include "process/loop.h"

#include "base/memory.h"
#include "base/moment.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { BATCH = 64 };

struct watch {
    struct loop *loop;
    watch_function *function; /* NULL once stopped */
    void *context;
    int fd;
    struct watch *next, *previous; /* in loop->watches, or (next only) in loop->stopped */
};

struct timer {
    struct loop *loop;
    timer_function *function;
    void *context;
    int64_t due;
    uint64_t turn; /* in which it was armed: it fires in a later one */
    bool armed;
    struct timer *next, *previous; /* armed ones sorted by due, the others in loop->idle */
};

struct loop {
    int epoll;
    int signals; /* signalfd, -1 until the first loop_signal */
    sigset_t mask;
    struct {
        signal_function *function;
        void *context;
    } handlers[NSIG];
    struct watch *watches;
    struct watch *stopped; /* freed after the batch, which may still name them */
    struct watch *signal_watch;
    struct timer *armed, *idle;
    uint64_t turn;
    bool stop;
};

int loop_new(struct loop **out, struct error *err)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        return error_system(err, errno, "cannot make an event loop");
    struct loop *loop = xcalloc(1, sizeof *loop);
    loop->epoll = epoll;
    loop->signals = -1;
    sigemptyset(&loop->mask);
    *out = loop;
    return 0;
}

static void free_stopped(struct loop *loop)
{
    while (loop->stopped) {
        struct watch *watch = loop->stopped;
        loop->stopped = watch->next;
        free(watch);
    }
}

static void free_timers(struct timer *timer)
{
    while (timer) {
        struct timer *next = timer->next;
        free(timer);
        timer = next;
    }
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    while (loop->watches) {
        struct watch *watch = loop->watches;
        watch_stop(&watch);
    }
    free_stopped(loop);
    free_timers(loop->armed);
    free_timers(loop->idle);
    fd_close(&loop->signals);
    fd_close(&loop->epoll);
    free(loop);
}

int loop_watch(struct loop *loop, int fd, uint32_t events, watch_function *function, void *context,
               struct watch **out, struct error *err)
{
    struct watch *watch = xcalloc(1, sizeof *watch);
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        int why = errno;
        free(watch);
        return error_system(err, why, "cannot watch descriptor %d", fd);
    }
    *watch = (struct watch){
        .loop = loop, .function = function, .context = context, .fd = fd, .next = loop->watches};
    if (loop->watches)
        loop->watches->previous = watch;
    loop->watches = watch;
    *out = watch;
    return 0;
}

void watch_stop(struct watch **handle)
{
    struct watch *watch = *handle;
    *handle = NULL;
    if (!watch)
        return;
    struct loop *loop = watch->loop;
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->function = NULL;
    if (watch->next)
        watch->next->previous = watch->previous;
    if (watch->previous)
        watch->previous->next = watch->next;
    else
        loop->watches = watch->next;
    watch->next = loop->stopped;
    loop->stopped = watch;
}

static void unlink_timer(struct timer *timer)
{
    if (timer->next)
        timer->next->previous = timer->previous;
    if (timer->previous)
        timer->previous->next = timer->next;
    else if (timer->armed)
        timer->loop->armed = timer->next;
    else
        timer->loop->idle = timer->next;
    timer->next = timer->previous = NULL;
}

static void link_timer(struct timer *timer, struct timer **head)
{
    /* Behind those that are due at the same time: first armed, first served. */
    struct timer *before = NULL, *after = *head;
    while (timer->armed && after && after->due <= timer->due) {
        before = after;
        after = after->next;
    }
    timer->previous = before;
    timer->next = after;
    if (after)
        after->previous = timer;
    if (before)
        before->next = timer;
    else
        *head = timer;
}

struct timer *loop_timer(struct loop *loop, timer_function *function, void *context)
{
    struct timer *timer = xcalloc(1, sizeof *timer);
    *timer = (struct timer){.loop = loop, .function = function, .context = context};
    link_timer(timer, &loop->idle);
    return timer;
}

void timer_arm(struct timer *timer, int64_t delay_ns)
{
    int64_t now = moment_monotonic();
    unlink_timer(timer);
    timer->armed = true;
    timer->turn = timer->loop->turn;
    timer->due = delay_ns <= 0 ? now : delay_ns > INT64_MAX - now ? INT64_MAX : now + delay_ns;
    link_timer(timer, &timer->loop->armed);
}

void timer_disarm(struct timer *timer)
{
    if (!timer->armed)
        return;
    unlink_timer(timer);
    timer->armed = false;
    link_timer(timer, &timer->loop->idle);
}

void timer_free(struct timer **handle)
{
    struct timer *timer = *handle;
    *handle = NULL;
    if (!timer)
        return;
    unlink_timer(timer);
    free(timer);
}

static void read_signals(void *context, uint32_t events)
{
    struct loop *loop = context;
    struct signalfd_siginfo info;
    (void)events;
    /* One a turn: the next one is still there if the handler stops the loop. */
    if (read(loop->signals, &info, sizeof info) != (ssize_t)sizeof info || info.ssi_signo >= NSIG)
        return;
    if (loop->handlers[info.ssi_signo].function)
        loop->handlers[info.ssi_signo].function(loop->handlers[info.ssi_signo].context, (int)info.ssi_signo);
}

int loop_signal(struct loop *loop, int number, signal_function *function, void *context, struct error *err)
{
    sigset_t mask = loop->mask;
    if (number <= 0 || number >= NSIG || sigaddset(&mask, number) < 0)
        return error_set(err, ERROR_SYSTEM, "there is no signal %d to wait for", number);
    int signals = signalfd(loop->signals, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        return error_system(err, errno, "cannot wait for signal %d", number);
    if (!loop->signal_watch &&
        loop_watch(loop, signals, EPOLLIN, read_signals, loop, &loop->signal_watch, err) < 0) {
        close(signals);
        return -1;
    }
    loop->signals = signals;
    loop->mask = mask;
    loop->handlers[number].function = function;
    loop->handlers[number].context = context;
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    return 0;
}

/* Milliseconds to the first timer, rounded up so that none fires early; -1 when there is none. */
static int wait_time(const struct loop *loop)
{
    if (!loop->armed)
        return -1;
    int64_t left = loop->armed->due - moment_monotonic();
    if (left <= 0)
        return 0;
    return left > 3600 * NS_PER_S ? 3600 * 1000 : (int)((left + NS_PER_MS - 1) / NS_PER_MS);
}

static struct timer *next_due(const struct loop *loop, int64_t now)
{
    for (struct timer *timer = loop->armed; timer && timer->due <= now; timer = timer->next)
        if (timer->turn != loop->turn)
            return timer;
    return NULL;
}

static void run_timers(struct loop *loop)
{
    int64_t now = moment_monotonic();
    for (struct timer *timer; !loop->stop && (timer = next_due(loop, now));) {
        timer_disarm(timer);
        timer->function(timer->context);
    }
}

int loop_run(struct loop *loop, struct error *err)
{
    struct epoll_event events[BATCH];
    int result = 0;
    while (!loop->stop) {
        int count = epoll_wait(loop->epoll, events, BATCH, wait_time(loop));
        if (count < 0 && errno != EINTR) {
            result = error_system(err, errno, "cannot wait for events");
            break;
        }
        loop->turn++;
        /* Descriptors before timers: after a pause of this process (stopped, machine suspended) what came in
         * counts before a watchdog says that nothing came in. */
        for (int i = 0; i < count && !loop->stop; i++) {
            struct watch *watch = events[i].data.ptr;
            if (watch->function)
                watch->function(watch->context, events[i].events);
        }
        free_stopped(loop);
        run_timers(loop);
    }
    loop->stop = false;
    free_stopped(loop);
    return result;
}

void loop_stop(struct loop *loop)
{
    loop->stop = true;
}
