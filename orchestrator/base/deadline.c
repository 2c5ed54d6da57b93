#include "base/deadline.h"

#include "base/moment.h"

#include <errno.h>

enum { LONGEST_S = 3600 /* one poll; whoever waits for longer asks the clock in between */ };

struct deadline deadline_in(int64_t ns)
{
    int64_t now = moment_monotonic();
    return (struct deadline){ns > INT64_MAX - now ? INT64_MAX : now + ns};
}

struct deadline deadline_earlier(struct deadline a, struct deadline b)
{
    return a.at_ns < b.at_ns ? a : b;
}

bool deadline_over(struct deadline deadline)
{
    return moment_monotonic() >= deadline.at_ns;
}

int64_t deadline_left(struct deadline deadline)
{
    int64_t left = deadline.at_ns - moment_monotonic();
    return left > 0 ? left : 0;
}

int deadline_poll(struct pollfd *descriptors, nfds_t count, struct deadline deadline)
{
    for (;;) {
        int64_t left = deadline_left(deadline);
        /* Rounded up, so that it is over when the last poll comes back. */
        int wait = left > LONGEST_S * NS_PER_S ? LONGEST_S * 1000 : (int)((left + NS_PER_MS - 1) / NS_PER_MS);
        int ready = poll(descriptors, count, wait);
        if (ready > 0 || (ready < 0 && errno != EINTR) || (ready == 0 && left <= wait * NS_PER_MS))
            return ready;
    }
}
