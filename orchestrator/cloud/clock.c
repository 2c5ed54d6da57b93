#include "cloud/clock.h"

#include "base/moment.h"

#include <stdlib.h>

enum {
    ASK_S = 1,
    LONGEST_BACKOFF_S = 60,
    FIRST_POLL_MS = 100,
    SOON_MS = 250,
    SOON_LOOKS = 20,
    POLL_MS = 500
};

static bool skips;

void cloud_clock_skip_pauses(void)
{
    skips = true;
}

int64_t cloud_clock_now(const struct cloud_clock *clock)
{
    return moment_monotonic() + clock->skipped_ns;
}

static int64_t left_of(const struct cloud_clock *clock)
{
    int64_t left = deadline_left(clock->deadline) - clock->skipped_ns;
    return left > 0 ? left : 0;
}

struct deadline cloud_clock_end(const struct cloud_clock *clock)
{
    return clock->skipped_ns ? deadline_in(left_of(clock)) : clock->deadline;
}

bool cloud_clock_has(const struct cloud_clock *clock, int64_t ns)
{
    return ns < left_of(clock) - ASK_S * NS_PER_S;
}

bool cloud_clock_pause(struct cloud_clock *clock, int64_t ns)
{
    if (!cloud_clock_has(clock, ns))
        return false;
    if (skips)
        clock->skipped_ns += ns;
    else
        moment_sleep(ns);
    return true;
}

int64_t cloud_clock_backoff(int tries)
{
    int64_t pause = NS_PER_S;
    for (int i = 0; i < tries && pause < LONGEST_BACKOFF_S * NS_PER_S; i++)
        pause *= 2;
    if (pause > LONGEST_BACKOFF_S * NS_PER_S)
        pause = LONGEST_BACKOFF_S * NS_PER_S;
    return pause - arc4random_uniform((uint32_t)(pause / 4 / NS_PER_MS)) * NS_PER_MS;
}

int64_t cloud_clock_poll(int looks)
{
    return (looks < 2 ? FIRST_POLL_MS : looks < SOON_LOOKS ? SOON_MS : POLL_MS) * NS_PER_MS;
}
