/* The end of a run waits for the record of its last phase, but not for ever. */
#include "run/phase_record.h"

#include "base/moment.h"

#include <criterion/criterion.h>

TestSuite(phase_record, .timeout = 20);

enum { NUDGES_MOST = 30 };

struct impatience {
    struct loop *loop;
    struct phase_record record;
    struct timer *timer;
    int nudges;
    bool told;
};

static void on_nudge(void *context)
{
    struct impatience *all = context;
    phase_record_hurry(&all->record);
    timer_arm(all->timer, 100 * NS_PER_MS);
    if (++all->nudges == NUDGES_MOST)
        loop_stop(all->loop);
}

static void on_done(void *context, const char *failure)
{
    struct impatience *all = context;
    all->told = failure != NULL;
    loop_stop(all->loop);
}

Test(phase_record, whoever_cancels_again_and_again_does_not_put_off_the_end_of_the_wait)
{
    AUTO_ERROR err = ERROR_INIT;
    struct runner_request request = {0};
    struct run_context context = {.request = &request};
    struct impatience all = {0};
    cr_assert_eq(loop_new(&all.loop, &err), 0, "%s", error_text(&err));
    phase_record_begin(&all.record, all.loop, &context, NULL, on_done, &all);
    all.record.ended = true; /* as while a child looks at files that do not answer */
    all.timer = loop_timer(all.loop, on_nudge, &all);
    timer_arm(all.timer, 0);
    cr_assert_eq(loop_run(all.loop, &err), 0, "%s", error_text(&err));
    cr_expect(all.told, "nobody was told after %d cancels", all.nudges);
    cr_expect_lt(all.nudges, NUDGES_MOST);
    phase_record_clear(&all.record);
    loop_free(all.loop);
}
