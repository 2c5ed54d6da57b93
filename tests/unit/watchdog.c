/* The watchdogs of a step: which of them strikes, and output on a machine that has
 * no inotify instance left. */
#include "step/watchdog.h"

#include "base/memory.h"
#include "base/moment.h"
#include "unit/hostile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(watchdog, .timeout = 60, .fini = hostile_clean);

struct watched {
    struct loop *loop;
    struct timer *writing;
    int log, left;
    enum ended_by by;
    int64_t written, fired;
};

static void on_fired(void *context, enum ended_by which)
{
    struct watched *watched = context;
    watched->by = which;
    watched->fired = moment_monotonic();
    loop_stop(watched->loop);
}

static void write_on(void *context)
{
    struct watched *watched = context;
    cr_assert_eq(write(watched->log, ".", 1), 1);
    watched->written = moment_monotonic();
    if (watched->left--)
        timer_arm(watched->writing, 400 * NS_PER_MS);
}

/* Five bytes, 0.4 s from one to the next: output all the while, then a second of silence. */
Test(watchdog, output_is_seen_without_inotify_too_and_silence_still_ends_the_step)
{
    hostile_deny(SYS_inotify_init1, EMFILE);
    AUTO_FREE char *path = hostile_path("log");
    struct watched watched = {.log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), .left = 4};
    struct phase_limits limits = {.of = {[WATCHDOG_DEADLINE] = 20 * NS_PER_S, [WATCHDOG_SILENCE] = NS_PER_S}};
    struct watchdogs *watchdogs = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(loop_new(&watched.loop, &err), 0, "%s", error_text(&err));
    cr_assert_eq(watchdogs_start(watched.loop, &limits, path, on_fired, &watched, &watchdogs, &err), 0, "%s",
                 error_text(&err));
    watched.writing = loop_timer(watched.loop, write_on, &watched);
    timer_arm(watched.writing, 0);
    cr_assert_eq(loop_run(watched.loop, &err), 0, "%s", error_text(&err));
    cr_expect_eq(watched.by, ENDED_BY_SILENCE);
    cr_expect_eq(watched.left, -1, "it was called silent while it wrote");
    cr_expect_geq(watched.fired - watched.written, NS_PER_S);
    watchdogs_stop(&watchdogs);
    timer_free(&watched.writing);
    loop_free(watched.loop);
    close(watched.log);
}

struct strikes {
    struct loop *loop;
    int count;
    enum ended_by by;
};

static void on_strike(void *context, enum ended_by which)
{
    struct strikes *strikes = context;
    strikes->count++;
    strikes->by = which;
}

static void on_end(void *context)
{
    struct strikes *strikes = context;
    loop_stop(strikes->loop);
}

/* A task that began before the step did is the first to be over its time, then comes
 * silence, then the deadline. */
Test(watchdog, the_one_whose_moment_comes_first_strikes_and_none_behind_it)
{
    struct strikes strikes = {0};
    struct phase_limits limits = {.of = {[WATCHDOG_DEADLINE] = 150 * NS_PER_MS,
                                         [WATCHDOG_SILENCE] = 100 * NS_PER_MS,
                                         [WATCHDOG_TASK] = NS_PER_S}};
    struct watchdogs *watchdogs = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(loop_new(&strikes.loop, &err), 0, "%s", error_text(&err));
    struct timer *end = loop_timer(strikes.loop, on_end, &strikes);
    timer_arm(end, 300 * NS_PER_MS);
    cr_assert_eq(watchdogs_start(strikes.loop, &limits, NULL, on_strike, &strikes, &watchdogs, &err), 0, "%s",
                 error_text(&err));
    watchdogs_task(watchdogs, moment_monotonic() - NS_PER_S + 50 * NS_PER_MS);
    cr_assert_eq(loop_run(strikes.loop, &err), 0, "%s", error_text(&err));
    cr_expect_eq(strikes.by, ENDED_BY_TASK);
    cr_expect_eq(strikes.count, 1);
    watchdogs_stop(&watchdogs);
    timer_free(&end);
    loop_free(strikes.loop);
}

Test(watchdog, an_end_by_one_is_called_as_its_row_says)
{
    static const char *const outcomes[] = {"transport-lost", "deadline", "silence", "task-timeout", NULL};
    for (size_t row = 0; watchdog_facts(row); row++) {
        const char *outcome = outcome_name(OUTCOME_OF_WATCHDOG + (enum outcome)row);
        cr_expect_eq(outcome, watchdog_facts(row)->outcome);
        if (row < COUNT_OF(outcomes) && outcomes[row])
            cr_expect_str_eq(outcome, outcomes[row]);
        cr_expect_eq(outcome_may_leave(OUTCOME_OF_WATCHDOG + (enum outcome)row, NULL), outcome != NULL);
    }
}
