/* The time that asking a cloud may take, and the pauses in it. */
#pragma once
#include "base/deadline.h"
#include <stdbool.h>
#include <stdint.h>

struct cloud_clock {
    struct deadline deadline;
    int64_t skipped_ns; /* of pauses that were not waited for */
};

int64_t cloud_clock_now(const struct cloud_clock *clock); /* monotonic */
/* The clock's deadline. */
struct deadline cloud_clock_end(const struct cloud_clock *clock);
/* Whether a pause of so long leaves time to ask once more (a second). */
bool cloud_clock_has(const struct cloud_clock *clock, int64_t ns);
/* Waits so long; false, at once, where it has not that time. */
bool cloud_clock_pause(struct cloud_clock *clock, int64_t ns);
/* For tests: from now on pauses are over at once, and count as if they had been waited for. */
void cloud_clock_skip_pauses(void);

/* Before the next try: 1 s, doubled from try to try (0: the first) up to 60 s, up to a quarter of it less by
 * chance, so that those who were refused together do not come back together. */
int64_t cloud_clock_backoff(int tries);
/* Before the next look at what is under way: 100 ms twice, 250 ms for some 5 s, then every 500 ms. */
int64_t cloud_clock_poll(int looks);
