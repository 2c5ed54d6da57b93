/* Moments that are handed down. */
#include "base/deadline.h"

#include "base/moment.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

TestSuite(base_deadline, .timeout = 20);

Test(base_deadline, what_is_left_of_one_is_never_negative_and_one_behind_the_clocks_end_never_comes)
{
    struct deadline past = deadline_in(-NS_PER_S), now = deadline_in(0), soon = deadline_in(NS_PER_S),
                    never = deadline_in(INT64_MAX);
    cr_expect(deadline_over(past) && deadline_over(now) && !deadline_over(soon) && !deadline_over(never));
    cr_expect_eq(deadline_left(past), 0);
    cr_expect(deadline_left(soon) > 0 && deadline_left(soon) <= NS_PER_S);
    cr_expect_gt(deadline_left(never), INT64_C(100) * 365 * 86400 * NS_PER_S);
    cr_expect_eq(deadline_earlier(soon, never).at_ns, soon.at_ns);
    cr_expect_eq(deadline_earlier(soon, past).at_ns, past.at_ns);
}

Test(base_deadline, one_that_is_over_is_still_looked_at_once)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    struct pollfd look = {.fd = ends[0], .events = POLLIN};
    cr_expect_eq(deadline_poll(&look, 1, deadline_in(0)), 0);
    cr_assert_eq(write(ends[1], "x", 1), 1);
    cr_expect_eq(deadline_poll(&look, 1, deadline_in(0)), 1);
    cr_expect_eq(deadline_poll(&look, 1, deadline_in(INT64_MAX)), 1);
    close(ends[0]);
    close(ends[1]);
}

static void ignore(int signal)
{
    (void)signal;
}

Test(base_deadline, signals_neither_end_a_wait_nor_put_it_off)
{
    struct sigaction action = {.sa_handler = ignore};
    struct itimerval often = {.it_interval.tv_usec = 20000, .it_value.tv_usec = 20000};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    int64_t began = moment_monotonic();
    cr_expect_eq(deadline_poll(NULL, 0, deadline_in(200 * NS_PER_MS)), 0);
    int64_t took = moment_monotonic() - began;
    cr_expect(took >= 200 * NS_PER_MS && took < 10 * NS_PER_S, "%lld ns", (long long)took);
}
