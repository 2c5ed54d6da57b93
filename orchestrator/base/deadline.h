/* The moment until which something may take, of the monotonic clock: made where the bound is known and handed
 * down as it is, so that nobody below reckons what is left of it. A value; what is in it is deadline.c's. */
#pragma once
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

struct deadline {
    int64_t at_ns;
};

/* So long from now. One behind the end of the clock never comes. */
struct deadline deadline_in(int64_t ns);
struct deadline deadline_earlier(struct deadline a, struct deadline b);
bool deadline_over(struct deadline deadline);
/* Nanoseconds, 0 where it is over. */
int64_t deadline_left(struct deadline deadline);
/* poll(2) until then, whatever signals come: how many are ready, 0 when it is over (then it was
 * looked once), -1 with errno. */
int deadline_poll(struct pollfd *descriptors, nfds_t count, struct deadline deadline);
