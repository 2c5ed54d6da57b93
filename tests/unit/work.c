/* The commands of the works, as a shell here takes them. */
#include "diagnose/work.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static const char *const names[] = {"echo",   "idle", "trickle",   "bulk-down", "bulk-up", "throttled",
                                    "bursts", "disk", "processes", "channels",  "package", "idle-burst"};

Test(work, every_script_is_one_that_sh_can_read_and_has_no_single_quote)
{
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_ERROR err = ERROR_INIT;
        struct work work;
        struct cell cell = {.work = (char *)(uintptr_t)names[i]};
        cr_assert(eq(int, work_of(&cell, &work, &err), 0), "%s: %s", names[i], error_text(&err));
        const char *quote = strchr(work.script, 0x27);
        cr_expect(quote == NULL, "%s: %s", names[i], quote);
        cr_expect(eq(int, program_do(5 * NS_PER_S, NULL, &err, "sh", "-n", "-c", work.script, NULL), 0),
                  "%s: %s", names[i], error_text(&err));
        work_clear(&work);
    }
}

/* Whoever of a host's own goes on when the connection does not is never ended with it. */
Test(work, a_package_manager_alone_is_not_ended_with_the_connection)
{
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct work work;
        struct cell cell = {.work = (char *)(uintptr_t)names[i]};
        cr_assert(eq(int, work_of(&cell, &work, NULL), 0));
        cr_expect(eq(int, work.goes_on, text_is(names[i], "package")), "%s", names[i]);
        cr_expect(eq(int, work.goes_on &&work.holds, 0), "%s", names[i]);
        work_clear(&work);
    }
}
