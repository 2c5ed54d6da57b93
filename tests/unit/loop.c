/* The loop: timers in order, never early, on time in a flood; anything may be removed at any moment. */
#include "process/loop.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "unit/hostile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

TestSuite(loop, .timeout = 60, .fini = hostile_clean);

static struct loop *loop;
static struct text said;

static void start(void)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(loop_new(&loop, &err), 0, "%s", error_text(&err));
}

static void finish(void)
{
    loop_free(loop);
    loop = NULL;
    text_clear(&said);
}

static void say(void *word)
{
    text_add(&said, word);
}

static void stop(void *context)
{
    (void)context;
    loop_stop(loop);
}

/* Runs until nothing more can be said: at most this long. */
static void run_for(int ms)
{
    AUTO_ERROR err = ERROR_INIT;
    struct timer *end = loop_timer(loop, stop, NULL);
    timer_arm(end, ms * NS_PER_MS);
    cr_expect_eq(loop_run(loop, &err), 0, "%s", error_text(&err));
    timer_free(&end);
}

static struct timer *after(int ms, const char *word)
{
    struct timer *timer = loop_timer(loop, say, (void *)(uintptr_t)word);
    timer_arm(timer, ms * NS_PER_MS);
    return timer;
}

/* A descriptor that is readable all the time. */
static int ready_fd(void)
{
    int fd = eventfd(1, EFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    return fd;
}

Test(loop, timers_fire_once_in_the_order_of_their_times)
{
    start();
    after(30, "c");
    after(10, "a");
    after(20, "b");
    after(-5, "0");
    struct timer *idle = loop_timer(loop, say, "never");
    (void)idle;
    run_for(80);
    cr_expect_str_eq(text_string(&said), "0abc");
    finish();
}

Test(loop, timers_of_one_moment_fire_in_the_order_they_were_armed)
{
    start();
    for (const char *word = "abcdef"; *word; word++) {
        static char words[6][2];
        char *own = words[*word - 'a'];
        own[0] = *word;
        after(0, own);
    }
    run_for(20);
    cr_expect_str_eq(text_string(&said), "abcdef");
    finish();
}

Test(loop, disarmed_freed_and_rearmed_timers_do_as_told)
{
    start();
    struct timer *disarmed = after(5, "disarmed");
    struct timer *freed = after(5, "freed");
    struct timer *later = after(5, "later");
    struct timer *sooner = after(10000, "sooner ");
    timer_disarm(disarmed);
    timer_disarm(disarmed);
    timer_free(&freed);
    cr_expect_null(freed);
    timer_free(&freed);
    timer_arm(later, 40 * NS_PER_MS);
    timer_arm(sooner, NS_PER_MS);
    run_for(80);
    cr_expect_str_eq(text_string(&said), "sooner later");
    finish();
}

struct precise {
    int64_t due, worst;
    int left;
    struct timer *timer;
};

static void tick(void *context)
{
    struct precise *precise = context;
    int64_t late = moment_monotonic() - precise->due;
    cr_expect_geq(late, 0, "it fired early");
    if (late > precise->worst)
        precise->worst = late;
    if (!--precise->left) {
        loop_stop(loop);
        return;
    }
    precise->due = moment_monotonic() + 50 * NS_PER_MS;
    timer_arm(precise->timer, 50 * NS_PER_MS);
}

struct flood {
    int fd;
    int64_t bytes;
};

static void swallow(void *context, uint32_t events)
{
    struct flood *flood = context;
    char block[65536];
    (void)events;
    ssize_t got = read(flood->fd, block, sizeof block);
    if (got > 0)
        flood->bytes += got;
}

Test(loop, timers_are_never_early_and_on_time_in_a_flood)
{
    start();
    AUTO_CLOSE int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    struct child_plan plan = {.argv = (const char *const[]){"cat", NULL},
                              .in = zero,
                              .out = ends[1],
                              .error = -1,
                              .die_with_parent = true};
    struct child child;
    fcntl(ends[1], F_SETFL, 0);
    cr_assert_eq(child_start(&plan, &child, NULL), 0);
    close(ends[1]);
    struct flood flood = {.fd = ends[0]};
    struct watch *watch;
    cr_assert_eq(loop_watch(loop, ends[0], EPOLLIN, swallow, &flood, &watch, NULL), 0);
    struct precise precise = {.left = 20, .due = moment_monotonic() + 50 * NS_PER_MS};
    precise.timer = loop_timer(loop, tick, &precise);
    timer_arm(precise.timer, 50 * NS_PER_MS);
    cr_assert_eq(loop_run(loop, NULL), 0);
    child_signal(&child, SIGKILL);
    hostile_end(&child);
    cr_expect_gt(flood.bytes, 1 << 20);
    cr_expect_lt(precise.worst, hostile_is_instrumented() ? NS_PER_S : 100 * NS_PER_MS, "%lld us late",
                 (long long)precise.worst / 1000);
    watch_stop(&watch);
    close(ends[0]);
    finish();
}

static void again(void *context)
{
    struct precise *precise = context;
    precise->left++;
    timer_arm(precise->timer, 0);
}

static void count(void *context, uint32_t events)
{
    (void)events;
    ++*(int *)context;
}

/* One that arms itself anew at once takes its turn like everything else. */
Test(loop, immediate_timers_starve_neither_descriptors_nor_other_timers)
{
    start();
    AUTO_CLOSE int fd = ready_fd();
    int counted = 0;
    struct watch *watch;
    cr_assert_eq(loop_watch(loop, fd, EPOLLIN, count, &counted, &watch, NULL), 0);
    struct precise precise = {0};
    precise.timer = loop_timer(loop, again, &precise);
    timer_arm(precise.timer, 0);
    run_for(50);
    cr_expect_gt(precise.left, 10);
    cr_expect_gt(counted, 10);
    finish();
}

struct late {
    struct timer *timer;
    int turns, fired_after;
};

static void arm_once(void *context, uint32_t events)
{
    struct late *late = context;
    (void)events;
    if (!late->turns++)
        timer_arm(late->timer, 0);
}

static void note_turn(void *context)
{
    struct late *late = context;
    late->fired_after = late->turns;
}

Test(loop, immediate_timer_fires_in_the_next_turn)
{
    start();
    AUTO_CLOSE int fd = ready_fd();
    struct late late = {0};
    struct watch *watch;
    cr_assert_eq(loop_watch(loop, fd, EPOLLIN, arm_once, &late, &watch, NULL), 0);
    late.timer = loop_timer(loop, note_turn, &late);
    run_for(20);
    cr_expect_eq(late.fired_after, 2);
    finish();
}

struct pair {
    struct watch *own, *other;
    struct timer *timer;
    int calls;
};

static void stop_both(void *context, uint32_t events)
{
    struct pair *pair = context;
    (void)events;
    pair->calls++;
    watch_stop(&pair->own);
    watch_stop(&pair->other);
    timer_free(&pair->timer);
}

Test(loop, callback_may_remove_itself_and_others_that_are_ready_too)
{
    start();
    AUTO_CLOSE int one = ready_fd();
    AUTO_CLOSE int two = ready_fd();
    struct pair pair = {0};
    cr_assert_eq(loop_watch(loop, one, EPOLLIN, stop_both, &pair, &pair.own, NULL), 0);
    cr_assert_eq(loop_watch(loop, two, EPOLLIN, stop_both, &pair, &pair.other, NULL), 0);
    pair.timer = after(0, "freed in the same turn");
    run_for(20);
    cr_expect_eq(pair.calls, 1);
    cr_expect_eq(said.length, 0);
    cr_expect_null(pair.own);
    cr_expect_null(pair.other);
    finish();
}

static void free_itself(void *context)
{
    struct pair *pair = context;
    pair->calls++;
    timer_free(&pair->timer);
}

Test(loop, timer_may_free_itself)
{
    start();
    struct pair pair = {0};
    pair.timer = loop_timer(loop, free_itself, &pair);
    timer_arm(pair.timer, 0);
    run_for(20);
    cr_expect_eq(pair.calls, 1);
    finish();
}

struct swap {
    int fd;
    struct watch *first, *second;
    int calls;
};

static void second_call(void *context, uint32_t events)
{
    struct swap *swap = context;
    (void)events;
    swap->calls += 100;
    watch_stop(&swap->second);
}

static void first_call(void *context, uint32_t events)
{
    struct swap *swap = context;
    (void)events;
    swap->calls++;
    watch_stop(&swap->first);
    cr_expect_eq(loop_watch(loop, swap->fd, EPOLLIN, second_call, swap, &swap->second, NULL), 0);
}

Test(loop, descriptor_may_be_watched_anew_by_its_own_callback)
{
    start();
    AUTO_CLOSE int fd = ready_fd();
    struct swap swap = {.fd = fd};
    cr_assert_eq(loop_watch(loop, fd, EPOLLIN, first_call, &swap, &swap.first, NULL), 0);
    run_for(20);
    cr_expect_eq(swap.calls, 101);
    finish();
}

static void on_signal(void *context, int number)
{
    text_addf(&said, "%s%d ", (const char *)context, number);
    if (number == SIGUSR2)
        loop_stop(loop);
}

Test(loop, signals_come_one_by_one_to_their_handlers)
{
    start();
    cr_assert_eq(loop_signal(loop, SIGUSR1, on_signal, "one", NULL), 0);
    cr_assert_eq(loop_signal(loop, SIGTERM, on_signal, "old", NULL), 0);
    cr_assert_eq(loop_signal(loop, SIGTERM, on_signal, "new", NULL), 0);
    cr_assert_eq(loop_signal(loop, SIGUSR2, on_signal, "end", NULL), 0);
    AUTO_ERROR err = ERROR_INIT;
    cr_expect_eq(loop_signal(loop, 4711, on_signal, NULL, &err), -1);
    cr_expect_eq(loop_signal(loop, -1, on_signal, NULL, &err), -1);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGUSR2);
    cr_expect_eq(loop_run(loop, NULL), 0);
    AUTO_FREE char *wanted = xasprintf("one%d end%d ", SIGUSR1, SIGUSR2);
    cr_expect(text_starts(text_string(&said), wanted), "%s", text_string(&said));
    run_for(20);
    AUTO_FREE char *then = xasprintf("one%d end%d new%d ", SIGUSR1, SIGUSR2, SIGTERM);
    cr_expect_str_eq(text_string(&said), then, "what came in before the stop is not lost");
    finish();
}

static void stop_and_count(void *context, uint32_t events)
{
    (void)events;
    ++*(int *)context;
    loop_stop(loop);
}

Test(loop, stop_ends_the_turn_and_the_loop_can_go_on)
{
    start();
    AUTO_CLOSE int one = ready_fd();
    AUTO_CLOSE int two = ready_fd();
    int calls = 0;
    struct watch *first, *second;
    cr_assert_eq(loop_watch(loop, one, EPOLLIN, stop_and_count, &calls, &first, NULL), 0);
    cr_assert_eq(loop_watch(loop, two, EPOLLIN, stop_and_count, &calls, &second, NULL), 0);
    loop_run(loop, NULL);
    cr_expect_eq(calls, 1);
    loop_run(loop, NULL);
    cr_expect_eq(calls, 2);
    loop_stop(loop);
    loop_run(loop, NULL);
    cr_expect_eq(calls, 2, "stopped before it ran");
    finish();
}

static void note_events(void *context, uint32_t events)
{
    *(uint32_t *)context = events;
    loop_stop(loop);
}

Test(loop, hang_up_is_told)
{
    start();
    int ends[2];
    uint32_t events = 0;
    struct watch *watch;
    cr_assert_eq(pipe(ends), 0);
    close(ends[1]);
    cr_assert_eq(loop_watch(loop, ends[0], EPOLLIN, note_events, &events, &watch, NULL), 0);
    loop_run(loop, NULL);
    cr_expect_neq(events & EPOLLHUP, 0);
    close(ends[0]);
    finish();
}

Test(loop, what_cannot_be_watched_is_an_error)
{
    start();
    AUTO_ERROR err = ERROR_INIT;
    struct watch *watch = NULL;
    cr_expect_eq(loop_watch(loop, 999, EPOLLIN, count, NULL, &watch, &err), -1);
    cr_expect_null(watch);
    cr_expect(strstr(error_text(&err), "999"), "%s", error_text(&err));
    finish();
}

Test(loop, freeing_closes_its_own_descriptors_and_no_other)
{
    AUTO_CLOSE int fd = ready_fd();
    int before = hostile_descriptors();
    start();
    struct watch *watch;
    int counted = 0;
    cr_assert_eq(loop_watch(loop, fd, EPOLLIN, count, &counted, &watch, NULL), 0);
    cr_assert_eq(loop_signal(loop, SIGUSR1, on_signal, "", NULL), 0);
    after(1000, "never");
    loop_timer(loop, say, "idle");
    finish();
    loop_free(NULL);
    cr_expect_eq(hostile_descriptors(), before);
    cr_expect_geq(fcntl(fd, F_GETFD), 0);
}
