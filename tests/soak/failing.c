/* Every call on the state folder fails once, one after the other, in each of the ways; SOAK_FAILING (0: all)
 * sets how many of each, SOAK_TABLE names a file that gets the figures. */
#include "base/memory.h"
#include "base/text.h"
#include "figures.h"
#include "lab/failing_sweep.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS = 6 };

static unsigned most_wanted(void)
{
    const char *text = getenv("SOAK_FAILING");
    return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

/* The table's first two lines are its head. */
static void write_table(const struct text *table)
{
    const char *head = text_string(table), *rows = strchr(strchr(head, '\n') + 1, '\n') + 1;
    AUTO_FREE char *only_head = xstrndup(head, (size_t)(rows - head));
    figures_add(only_head, rows);
}

static void sweep_runs(size_t number)
{
    cr_assert_null(failing_sweeps[KINDS].name, "a kind without a test");
    struct lab *lab = failing_lab();
    AUTO_TEXT table = TEXT_INIT;
    failing_sweep_run(lab, &failing_sweeps[number], most_wanted(), &table);
    write_table(&table);
}

/* A test for each kind of failing_sweeps. */
#define RUNS(name, number)            \
    Test(soak, name, .timeout = 7200) \
    {                                 \
        sweep_runs(number);           \
    }
RUNS(every_call_of_a_run_that_fails_once_ends_it_in_order_or_not_at_all, 0)
RUNS(a_disk_that_is_full_from_any_call_on_ends_a_run_in_order, 1)
RUNS(errors_from_any_call_on_end_a_run_in_order, 2)
RUNS(every_write_of_a_run_may_do_half_of_it, 3)
RUNS(every_read_of_a_run_may_do_half_of_it, 4)
RUNS(every_call_of_a_run_may_be_interrupted, 5)

Test(soak, every_call_that_fails_under_a_command_on_the_store_is_an_error_and_no_half_work, .timeout = 7200)
{
    struct lab *lab = failing_lab();
    AUTO_TEXT table = TEXT_INIT;
    for (const struct failing_sweep *sweep = failing_sweeps; sweep->name; sweep++)
        failing_sweep_commands(lab, sweep, most_wanted(), &table);
    write_table(&table);
}

Test(soak, memory_that_runs_out_anywhere_ends_the_worker_and_no_row_lies, .timeout = 7200)
{
    struct lab *lab = failing_lab();
    AUTO_TEXT table = TEXT_INIT;
    for (const struct failing_sweep *sweep = failing_memory; sweep->name; sweep++)
        failing_sweep_run(lab, sweep, 100, &table);
    write_table(&table);
}

Test(soak, too_few_descriptors_however_few_are_said_and_cost_only_the_run, .timeout = 7200)
{
    struct lab *lab = failing_lab();
    AUTO_TEXT table = TEXT_INIT;
    failing_descriptors(lab, 1, &table);
    write_table(&table);
}
