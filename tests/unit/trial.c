/* What a cell says of how its work ended. */
#include "diagnose/client.h"

#include "base/moment.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct ssh_channel_end ended(int last_byte_s, int end_s)
{
    return (struct ssh_channel_end){.last_byte_ns = last_byte_s < 0 ? -1 : last_byte_s * NS_PER_S,
                                    .end_ns = end_s * NS_PER_S};
}

Test(trial, of_several_channels_one_that_moves_to_the_end_tells_slow_from_stalled)
{
    const struct ssh_channel_end slow[] = {ended(2, 10), ended(-1, 10), ended(9, 10)};
    const struct ssh_channel_end stalled[] = {ended(2, 10), ended(3, 10), ended(-1, 10)};
    /* That one came to its own end, early and in order, says nothing of the others. */
    const struct ssh_channel_end one_done[] = {ended(2, 2), ended(3, 10)};
    const struct ssh_channel_end silent[] = {ended(-1, 3)};

    cr_expect(trial_moved(slow, 3));
    cr_expect(not(trial_moved(stalled, 3)));
    cr_expect(not(trial_moved(one_done, 2)));
    cr_expect(not(trial_moved(silent, 1)));
}
