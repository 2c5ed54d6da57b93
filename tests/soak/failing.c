/* Every call on the state folder fails once, one after the other, in each of the ways; SOAK_FAILING (0: all) sets how many of each, SOAK_TABLE names a file that gets
 * the figures. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "lab/failing_sweep.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned most_wanted(void)
{
    const char *text = getenv("SOAK_FAILING");
    return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

static void write_table(const struct text *table)
{
    const char *path = getenv("SOAK_TABLE");
    fprintf(stderr, "%s", text_string(table));
    if (path)
        file_replace(path, text_string(table), table->length, 0644, NULL);
}

Test(soak, every_call_that_fails_ends_a_run_in_order_or_not_at_all, .timeout = 7200)
{
    struct lab *lab = failing_lab();
    AUTO_TEXT table = TEXT_INIT;
    for (const struct failing_sweep *sweep = failing_sweeps; sweep->name; sweep++) {
        failing_sweep_run(lab, sweep, most_wanted(), &table);
        write_table(&table);
    }
}

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
