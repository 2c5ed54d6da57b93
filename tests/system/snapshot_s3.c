/* The store of snapshots against a real S3 service, which checks signature, body and region: what
 * tests/unit/snapshot_store.c holds of a loose one. */
#include "base/file.h"
#include "base/memory.h"
#include "lab/sandbox.h"
#include "lab/snapshots.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* setup/s3-lab.sh builds it. */
static void service_needed(void)
{
    AUTO_FREE char *found = rig_output("setup/s3-lab.sh --where");
    found[strcspn(found, "\n")] = '\0';
    AUTO_FREE char *program = file_join(found, "versitygw");
    if (!file_exists(program))
        cr_skip_test("no versitygw in %s: setup/s3-lab.sh builds it", found);
    cr_assert(setenv("VERSITYGW", program, 1) == 0);
}

TestSuite(snapshot_s3, .timeout = 120, .init = service_needed);

Test(snapshot_s3, what_is_kept_comes_back_and_the_slots_take_turns)
{
    snapshots_hold("what_is_kept_comes_back_and_the_slots_take_turns", "versitygw");
}

Test(snapshot_s3, of_two_writers_one_wins)
{
    snapshots_hold("of_two_writers_one_wins", "versitygw");
}

Test(snapshot_s3, what_cannot_be_asked_is_never_empty)
{
    snapshots_hold("what_cannot_be_asked_is_never_empty", "versitygw");
}

Test(snapshot_s3, a_writer_that_comes_between_leaves_a_coherent_store)
{
    snapshots_hold("a_writer_that_comes_between_leaves_a_coherent_store", "versitygw");
}

Test(snapshot_s3, a_writer_that_stalls_before_its_slot_never_spoils_one_that_counts)
{
    snapshots_hold("a_writer_that_stalls_before_its_slot_never_spoils_one_that_counts", "versitygw");
}

Test(snapshot_s3, a_claim_is_waited_for_and_one_that_is_old_is_taken_over)
{
    snapshots_hold("a_claim_is_waited_for_and_one_that_is_old_is_taken_over", "versitygw");
}

Test(snapshot_s3, a_slot_that_a_slow_writer_spoils_is_written_anew)
{
    snapshots_hold("a_slot_that_a_slow_writer_spoils_is_written_anew", "versitygw");
}

Test(snapshot_s3, what_was_cut_off_harms_nothing)
{
    snapshots_hold("what_was_cut_off_harms_nothing", "versitygw");
}

Test(snapshot_s3, what_does_not_fit_is_incoherent_and_says_why)
{
    snapshots_hold("what_does_not_fit_is_incoherent_and_says_why", "versitygw");
}
