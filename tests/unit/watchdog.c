/* The timers that end a step, on a machine that has no inotify instance left. */
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
