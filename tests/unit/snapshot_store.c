/* The store of snapshots of the recipe vault, as a directory and as an S3 service that checks nothing. What a
 * real one adds is in tests/system/snapshot_s3.c. */
#include "lab/snapshots.h"

#include <criterion/criterion.h>

TestSuite(snapshot_store, .timeout = 180);

Test(snapshot_store, what_is_kept_comes_back_and_the_slots_take_turns)
{
    snapshots_hold("what_is_kept_comes_back_and_the_slots_take_turns", "directory");
    snapshots_hold("what_is_kept_comes_back_and_the_slots_take_turns", "loose");
}

Test(snapshot_store, what_has_the_same_raft_index_is_not_written_again)
{
    snapshots_hold("what_has_the_same_raft_index_is_not_written_again", "directory");
    snapshots_hold("what_has_the_same_raft_index_is_not_written_again", "loose");
}

Test(snapshot_store, of_two_writers_one_wins)
{
    snapshots_hold("of_two_writers_one_wins", "directory");
    snapshots_hold("of_two_writers_one_wins", "loose");
}

Test(snapshot_store, a_writer_that_comes_between_leaves_a_coherent_store)
{
    snapshots_hold("a_writer_that_comes_between_leaves_a_coherent_store", "loose");
}

Test(snapshot_store, a_writer_that_stalls_before_its_slot_never_spoils_one_that_counts)
{
    snapshots_hold("a_writer_that_stalls_before_its_slot_never_spoils_one_that_counts", "loose");
}

Test(snapshot_store, a_claim_is_waited_for_and_one_that_is_old_is_taken_over)
{
    snapshots_hold("a_claim_is_waited_for_and_one_that_is_old_is_taken_over", "loose");
}

Test(snapshot_store, a_reader_that_a_writer_overtakes_looks_again)
{
    snapshots_hold("a_reader_that_a_writer_overtakes_looks_again", "directory");
    snapshots_hold("a_reader_that_a_writer_overtakes_looks_again", "loose");
}

Test(snapshot_store, a_slot_that_a_slow_writer_spoils_is_written_anew)
{
    snapshots_hold("a_slot_that_a_slow_writer_spoils_is_written_anew", "loose");
}

Test(snapshot_store, what_was_cut_off_harms_nothing)
{
    snapshots_hold("what_was_cut_off_harms_nothing", "directory");
    snapshots_hold("what_was_cut_off_harms_nothing", "loose");
}

Test(snapshot_store, what_does_not_fit_is_incoherent_and_says_why)
{
    snapshots_hold("what_does_not_fit_is_incoherent_and_says_why", "directory");
    snapshots_hold("what_does_not_fit_is_incoherent_and_says_why", "loose");
}

Test(snapshot_store, a_damaged_snapshot_is_never_kept)
{
    snapshots_hold("a_damaged_snapshot_is_never_kept", "directory");
    snapshots_hold("a_damaged_snapshot_is_never_kept", "loose");
}

Test(snapshot_store, what_cannot_be_asked_is_never_empty)
{
    snapshots_hold("what_cannot_be_asked_is_never_empty", "directory");
    snapshots_hold("what_cannot_be_asked_is_never_empty", "loose");
}

Test(snapshot_store, a_store_that_does_not_heed_conditions_is_found_and_said)
{
    snapshots_hold("a_store_that_does_not_heed_conditions_is_found_and_said", "loose");
}

Test(snapshot_store, an_absent_object_is_404_or_412_and_409_is_tried_again)
{
    snapshots_hold("an_absent_object_is_404_or_412_and_409_is_tried_again", "loose");
}

Test(snapshot_store, credentials_stand_on_no_command_line_and_in_no_environment)
{
    snapshots_hold("credentials_stand_on_no_command_line_and_in_no_environment", "loose");
}

Test(snapshot_store, the_token_is_renewed_only_below_half_of_its_period)
{
    snapshots_hold("the_token_is_renewed_only_below_half_of_its_period", "directory");
}
