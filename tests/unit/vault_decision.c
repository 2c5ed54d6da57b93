/* The table by which the recipe `vault` decides, in Python: each promise is a function of vault_decision.py
 * beside this file. */
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/program.h"

#include <criterion/criterion.h>

/* The promise is the test's name. */
static void hold(void)
{
    const char *const argv[] = {
        "python3", "-W", "error", "tests/unit/vault_decision.py", criterion_current_test->name, NULL};
    AUTO_TEXT out = TEXT_INIT, said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct child_end end = {0};
    struct program program = {.argv = argv, .bound_ns = 60 * NS_PER_S};
    cr_assert_eq(program_run(&program, &out, &said, &end, &err), 0, "%s", error_text(&err));
    cr_assert_eq(end.code, 0, "%s", text_string(&said));
}

Test(vault_decision, each_of_the_27_has_the_action_that_is_written_down)
{
    hold();
}

Test(vault_decision, nothing_goes_on_where_anything_kept_or_on_the_host_is_incoherent)
{
    hold();
}

Test(vault_decision, each_stop_says_what_a_person_can_do_and_how_to_begin_anew_where_that_leads_on)
{
    hold();
}

Test(vault_decision, a_host_of_another_lineage_is_refused)
{
    hold();
}

Test(vault_decision, an_initialisation_that_was_cut_off_goes_on_where_its_shares_are_kept_or_nothing_is)
{
    hold();
}

Test(vault_decision, a_restore_that_was_cut_off_begins_again_and_is_never_begun_with)
{
    hold();
}

Test(vault_decision, beginning_anew_is_for_the_lineage_that_is_named_and_an_empty_host)
{
    hold();
}

Test(vault_decision, what_was_given_up_already_does_not_stop_the_life_that_came_after_it)
{
    hold();
}

Test(vault_decision, the_host_is_judged_by_receipt_data_and_staging)
{
    hold();
}

Test(vault_decision, what_is_kept_is_judged_by_its_own_sums)
{
    hold();
}

Test(vault_decision, the_store_counts_for_its_own_lineage_and_not_where_it_was_moved_aside)
{
    hold();
}
