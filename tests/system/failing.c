/* Calls that fail: the disk, the descriptors, the memory. Some of each kind; tests/soak/failing.c
 * goes through all of them. */
#include "base/memory.h"
#include "lab/failing_sweep.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#ifdef __SANITIZE_ADDRESS__
enum { INSTRUMENTED = 1 };
#else
enum { INSTRUMENTED = 0 };
#endif

Test(failing, a_call_that_fails_ends_a_run_in_order_or_not_at_all, .timeout = 300)
{
    struct lab *lab = failing_lab();
    AUTO_TEXT table = TEXT_INIT;
    for (const struct failing_sweep *sweep = failing_sweeps; sweep->name; sweep++) {
        struct failing_figures figures = failing_sweep_run(lab, sweep, sweep->retried ? 1 : 2, &table);
        cr_expect(gt(int, (int)figures.struck, 0), "%s struck nothing", sweep->name);
    }
    fprintf(stderr, "%s", text_string(&table));
}

Test(failing, a_call_that_fails_under_a_command_on_the_store_is_an_error_and_no_half_work, .timeout = 300)
{
    struct lab *lab = failing_lab();
    AUTO_TEXT table = TEXT_INIT;
    failing_sweep_commands(lab, &failing_sweeps[0], 5, &table);
    failing_sweep_commands(lab, &failing_sweeps[1], 3, &table);
    fprintf(stderr, "%s", text_string(&table));
}

Test(failing, memory_that_runs_out_ends_the_worker_and_no_row_lies, .timeout = 300)
{
    if (INSTRUMENTED)
        cr_skip_test("the sanitizers have allocators of their own");
    struct lab *lab = failing_lab();
    AUTO_TEXT table = TEXT_INIT;
    for (const struct failing_sweep *sweep = failing_memory; sweep->name; sweep++) {
        struct failing_figures figures = failing_sweep_run(lab, sweep, 2, &table);
        cr_expect(gt(int, (int)figures.failed, 0), "%s failed nothing", sweep->name);
    }
    fprintf(stderr, "%s", text_string(&table));
}

Test(failing, too_few_descriptors_are_said_and_cost_only_the_run, .timeout = 300)
{
    struct lab *lab = failing_lab();
    AUTO_TEXT table = TEXT_INIT;
    failing_descriptors(lab, 2, &table);
    fprintf(stderr, "%s", text_string(&table));
}
